#include "storage/postgres_connection.h"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/version>
#if PQXX_VERSION_MAJOR >= 7
#include <pqxx/params>
#else
#include <pqxx/prepared_statement>
#endif

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <unordered_map>
#include <vector>

#include "ca/base/log.h"
#include "storage/postgres_error.h"
#include "storage/postgres_text.h"

namespace agentca::storage {
namespace {

// pg_type.oid, the same in every server.
constexpr pqxx::oid kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kVarchar = 1043;

using Texts = std::vector<std::optional<std::string>>;

pqxx::result ExecutePrepared(pqxx::nontransaction& session, const std::string& name,
                             const Texts& values) {
#if PQXX_VERSION_MAJOR >= 7
  pqxx::params parameters;
  parameters.reserve(values.size());
  for (const auto& each : values) parameters.append(each ? each->c_str() : nullptr);
#if PQXX_VERSION_MAJOR > 7 || PQXX_VERSION_MINOR >= 10
  return session.exec(pqxx::prepped{name}, parameters);
#else
  return session.exec_prepared(name, parameters);
#endif
#else
  std::vector<const char*> parameters;
  parameters.reserve(values.size());
  for (const auto& each : values) parameters.push_back(each ? each->c_str() : nullptr);
  return session.exec_prepared(name, pqxx::prepare::make_dynamic_params(parameters));
#endif
}

// The details of PostgreSQL's messages hold rows: only the first line is wanted.
void BeTerse(pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR >= 7
  connection.set_verbosity(pqxx::error_verbosity::terse);
#else
  connection.set_verbosity(pqxx::connection::terse);
#endif
}

std::string FirstLine(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace

class PostgresConnection::Impl {
 public:
  explicit Impl(const std::string& conninfo) : connection_(conninfo) {
    BeTerse(connection_);
    session_ = std::make_unique<pqxx::nontransaction>(connection_);
    socket_ = ::fcntl(connection_.sock(), F_DUPFD_CLOEXEC, 0);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (socket_ >= 0) ::close(socket_);
  }

  // Runs `work`, which uses the session, and judges what it throws.
  template <class Work>
  Result<pqxx::result> Try(const Work& work) {
    if (!usable_) return JudgeSqlState("").error;
    try {
      pqxx::result result = work();
      failed_ = false;  // which PostgreSQL runs again only after a rollback to a savepoint
      return result;
    } catch (const pqxx::serialization_failure& failure) {  // libpqxx 6 has no SQLSTATE for these
      return Judge("40001", failure.what());
    } catch (const pqxx::deadlock_detected& failure) {
      return Judge("40P01", failure.what());
    } catch (const pqxx::sql_error& failure) {
      return Judge(connection_.is_open() ? failure.sqlstate() : "", failure.what());
    } catch (const pqxx::failure& failure) {  // of the connection
      usable_ = false;
      return Judge("", failure.what());
    }
  }
  Result<pqxx::result> Execute(const std::string& sql) {
    return Try([&] { return session_->exec(sql); });
  }

  pqxx::connection connection_;
  std::unique_ptr<pqxx::nontransaction> session_;
  std::unordered_map<const char*, std::unique_ptr<PreparedStatement>> statements_;
  int socket_ = -1;
  bool usable_ = true;
  bool in_transaction_ = false;
  bool failed_ = false;  // PostgreSQL refuses every statement until the transaction is rolled back
  bool collided_ = false;
  bool duplicate_ = false;

 private:
  Error Judge(const std::string& state, std::string_view words) {
    const PostgresFailure failure = JudgeSqlState(state);
    failed_ = true;
    collided_ = collided_ || failure.collision;
    duplicate_ = duplicate_ || failure.duplicate;
    if (failure.useless) usable_ = false;
    if (!failure.collision && !failure.duplicate)
      Log(Level::kError, "database failed", {{"sqlstate", state}, {"detail", FirstLine(words)}});
    return failure.error;
  }
};

class PostgresConnection::PreparedStatement final : public Statement {
 public:
  PreparedStatement(Impl& connection, std::string name)
      : connection_(connection), name_(std::move(name)) {}

  Status Bind(int position, const SqlValue& value) override {
    const auto index = static_cast<size_t>(position);
    if (values_.size() < index) values_.resize(index);
    auto text = PostgresText(value);
    if (!text.ok()) return text.error();
    values_[index - 1] = *std::move(text);
    return {};
  }
  Result<bool> Step() override {
    if (!ran_) {
      AGENTCA_ASSIGN(rows_, connection_.Try([&] {
        return ExecutePrepared(*connection_.session_, name_, values_);
      }));
      ran_ = true;
      row_ = 0;
    } else {
      ++row_;
    }
    blobs_.clear();
    return row_ < rows_.size();
  }
  void Reset() override {
    ran_ = false;
    rows_ = {};
    blobs_.clear();
    values_.clear();
  }

  bool IsNull(int column) const override { return At(column).is_null(); }
  std::optional<int64_t> Int(int column) const override {
    const pqxx::oid type = rows_.column_type(column);
    if ((type != kInt8 && type != kInt4 && type != kInt2) || IsNull(column)) return std::nullopt;
    const std::string_view text = ViewOf(column);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
  }
  std::optional<std::string_view> Text(int column) const override {
    const pqxx::oid type = rows_.column_type(column);
    if ((type != kText && type != kVarchar) || IsNull(column)) return std::nullopt;
    return ViewOf(column);
  }
  std::optional<ByteView> Blob(int column) override {
    if (rows_.column_type(column) != kBytea || IsNull(column)) return std::nullopt;
    const auto known = blobs_.find(column);
    if (known != blobs_.end()) return ByteView(known->second);
    auto octets = BytesFromPostgres(ViewOf(column));
    if (!octets.ok()) return std::nullopt;
    return ByteView(blobs_.emplace(column, *std::move(octets)).first->second);
  }

 private:
  pqxx::field At(int column) const {
    return rows_[row_][static_cast<pqxx::row::size_type>(column)];
  }
  std::string_view ViewOf(int column) const {
    const pqxx::field field = At(column);
    return {field.c_str(), field.size()};
  }

  Impl& connection_;
  const std::string name_;
  Texts values_;
  bool ran_ = false;
  pqxx::result rows_;
  pqxx::result::size_type row_ = 0;
  std::unordered_map<int, Bytes> blobs_;  // of this row
};

PostgresConnection::PostgresConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresConnection::~PostgresConnection() = default;

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    const std::string& conninfo, const PostgresOptions& options, PostgresWatch& watch) {
  std::unique_ptr<Impl> impl;
  try {
    impl = std::make_unique<Impl>(conninfo);
  } catch (const std::exception& failure) {
    Log(Level::kError, "cannot connect to the database", {{"detail", FirstLine(failure.what())}});
    return JudgeConnectFailure(failure.what());
  }
  if (impl->socket_ < 0) return Error{Code::kUnavailable, "no file descriptor is free"};
  const PostgresWatch::Deadline deadline(watch, impl->socket_, options.patience);
  const std::string timeout = std::to_string(options.statement_timeout.count());
  // One round trip. With synchronous_commit off, a commit that we were told of could be lost.
  AGENTCA_TRY(
      impl->Execute("SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; "
                    "SET bytea_output = 'hex'; SET statement_timeout = " +
                    timeout + "; SET lock_timeout = " + timeout +
                    "; SET idle_in_transaction_session_timeout = " +
                    std::to_string(options.deadline.count()) +
                    "; SET default_transaction_isolation = 'read committed'; "
                    "SELECT set_config('synchronous_commit', 'on', false) "
                    "WHERE current_setting('synchronous_commit') IN ('off', 'local', "
                    "'remote_write')"));
  return std::unique_ptr<PostgresConnection>(new PostgresConnection(std::move(impl)));
}

Status PostgresConnection::Execute(const char* sql) {
  AGENTCA_TRY(impl_->Execute(sql));
  return {};
}

Result<Statement*> PostgresConnection::Prepare(const char* sql) {
  if (const auto found = impl_->statements_.find(sql); found != impl_->statements_.end())
    return found->second.get();
  const std::string name = "s" + std::to_string(impl_->statements_.size());
  AGENTCA_TRY(impl_->Try([&] {
    impl_->connection_.prepare(name, PostgresDialect(sql));
    return pqxx::result();
  }));
  auto statement = std::make_unique<PreparedStatement>(*impl_, name);
  return impl_->statements_.emplace(sql, std::move(statement)).first->second.get();
}

bool PostgresConnection::in_transaction() const {
  return impl_->usable_ && impl_->in_transaction_ && !impl_->collided_;
}

Status PostgresConnection::Begin(Kind kind) {
  impl_->failed_ = impl_->collided_ = impl_->duplicate_ = false;
  if (kind == Kind::kStatements) return {};
  const char* sql = "BEGIN ISOLATION LEVEL SERIALIZABLE";
  if (kind == Kind::kSnapshot) sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
  if (kind == Kind::kReadCommitted) sql = "BEGIN ISOLATION LEVEL READ COMMITTED";
  AGENTCA_TRY(Execute(sql));
  impl_->in_transaction_ = true;
  return {};
}

PostgresConnection::End PostgresConnection::Commit() {
  if (impl_->failed_) {  // PostgreSQL would answer COMMIT with a rollback, and with success
    Rollback();
    return {Fate::kRolledBack, Error{Code::kInternal, "storage: a statement failed unnoticed"}};
  }
  if (!impl_->in_transaction_) return {Fate::kCommitted, {}};
  const Status committed = Execute("COMMIT");
  if (committed.ok()) {
    impl_->in_transaction_ = false;
    return {Fate::kCommitted, {}};
  }
  // The server's own words that it did not come to pass; without them nobody knows.
  const bool refused = usable();
  impl_->in_transaction_ = false;
  return {refused ? Fate::kRolledBack : Fate::kUnknown, committed};
}

void PostgresConnection::Rollback() {
  if (usable() && impl_->in_transaction_ && !Execute("ROLLBACK").ok()) impl_->usable_ = false;
  impl_->in_transaction_ = false;
}

bool PostgresConnection::usable() const { return impl_->usable_ && impl_->connection_.is_open(); }
bool PostgresConnection::collided() const { return impl_->collided_; }
bool PostgresConnection::found_duplicate() const { return impl_->duplicate_; }
int PostgresConnection::socket() const { return impl_->socket_; }

}  // namespace agentca::storage
