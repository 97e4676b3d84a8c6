#include "storage/sqlite_connection.h"

#include <sqlite3.h>

#include "ca/base/log.h"

namespace agentca::storage {
namespace {

// A checkpoint writes each page once however often it changed, so that rare ones cost less. 4000
// pages (16 MiB) bound how long the commit that meets one takes.
constexpr const char* kWriterPragmas =
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000; PRAGMA trusted_schema = OFF;"
    "PRAGMA secure_delete = ON;";  // a key that was overwritten is gone
// A reader shares pages with nobody, so that many of them must not cost much.
constexpr const char* kReaderPragmas =
    "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;"
    "PRAGMA trusted_schema = OFF;";

Error ErrorOf(sqlite3* db, int code) {
  const int kind = code & 0xff;
  if (kind == SQLITE_CONSTRAINT) return {Code::kConflict, "an object with this key exists"};
  Log(Level::kError, "database failed",
      {{"code", sqlite3_errstr(code)},
       {"detail", db == nullptr ? "out of memory" : sqlite3_errmsg(db)}});
  switch (kind) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kUnavailable, "the database is busy"};
    case SQLITE_FULL:
      return {Code::kUnavailable, "the database cannot grow"};
    case SQLITE_READONLY:
      return {Code::kUnavailable, "the database cannot be written"};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
      return {Code::kUnavailable, "the database cannot be used"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::kInternal, "the database is damaged"};
    default:
      return {Code::kInternal, std::string("database: ") + sqlite3_errstr(code)};
  }
}

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~SqliteStatement() override { sqlite3_finalize(statement_); }

  Status Bind(int position, const SqlValue& value) override {
    const int code = std::visit([&](const auto& each) { return BindAs(position, each); }, value);
    if (code != SQLITE_OK) return ErrorOf(db_, code);
    return {};
  }
  Result<bool> Step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return ErrorOf(db_, code);
  }
  void Reset() override { sqlite3_reset(statement_); }

  bool IsNull(int column) const override { return Has(column, SQLITE_NULL); }
  std::optional<int64_t> Int(int column) const override {
    if (!Has(column, SQLITE_INTEGER)) return std::nullopt;
    return sqlite3_column_int64(statement_, column);
  }
  std::optional<std::string_view> Text(int column) const override {
    if (!Has(column, SQLITE_TEXT)) return std::nullopt;
    const auto* text = sqlite3_column_text(statement_, column);
    return std::string_view(reinterpret_cast<const char*>(text), SizeOf(column));
  }
  std::optional<ByteView> Blob(int column) override {
    if (!Has(column, SQLITE_BLOB)) return std::nullopt;
    const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
    return ByteView(data, SizeOf(column));
  }

 private:
  int BindAs(int position, SqlNull) { return sqlite3_bind_null(statement_, position); }
  int BindAs(int position, int64_t number) {
    return sqlite3_bind_int64(statement_, position, number);
  }
  int BindAs(int position, std::string_view text) {
    const char* data = text.data() == nullptr ? "" : text.data();
    return sqlite3_bind_text64(statement_, position, data, text.size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  int BindAs(int position, ByteView blob) {
    // A null pointer would bind NULL.
    const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
    return sqlite3_bind_blob64(statement_, position, data, blob.size(), SQLITE_TRANSIENT);
  }
  bool Has(int column, int type) const { return sqlite3_column_type(statement_, column) == type; }
  size_t SizeOf(int column) const {
    return static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  }

  sqlite3* const db_;
  sqlite3_stmt* const statement_;
};

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::filesystem::path& file,
                                                                 Access access,
                                                                 const SqliteOptions& options) {
  // SQLite gives ":memory:" and "" meanings of their own; a path with a slash has none.
  const std::string path = file.has_parent_path() ? file.string() : "./" + file.string();
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(db));
  if (code != SQLITE_OK) return ErrorOf(db, code);
  // SQLite falls back to reading when the file cannot be opened for both.
  if (sqlite3_db_readonly(db, "main") != 0) {
    return Error{Code::kUnavailable, "the file is read-only"};
  }
  AGENTCA_TRY(connection->Configure(access, options));
  return connection;
}

Status SqliteConnection::Configure(Access access, const SqliteOptions& options) {
  sqlite3_busy_timeout(db_, static_cast<int>(options.busy_timeout.count()));
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  AGENTCA_TRY(Execute(access == Access::kWrite ? kWriterPragmas : kReaderPragmas));
  if (options.max_pages == 0) return {};
  return Execute(("PRAGMA max_page_count = " + std::to_string(options.max_pages)).c_str());
}

SqliteConnection::~SqliteConnection() {
  statements_.clear();
  sqlite3_close(db_);
}

Status SqliteConnection::Execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return ErrorOf(db_, code);
  return {};
}

bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

bool SqliteConnection::moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(db_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Result<Statement*> SqliteConnection::Prepare(const char* sql) {
  if (const auto found = statements_.find(sql); found != statements_.end())
    return found->second.get();
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return ErrorOf(db_, code);
  auto statement = std::make_unique<SqliteStatement>(db_, prepared);
  return statements_.emplace(sql, std::move(statement)).first->second.get();
}

}  // namespace agentca::storage
