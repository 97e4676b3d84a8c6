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

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const std::filesystem::path& file,
                                                     Access access, const SqliteOptions& options) {
  // SQLite gives ":memory:" and "" meanings of their own; a path with a slash has none.
  const std::string path = file.has_parent_path() ? file.string() : "./" + file.string();
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  std::unique_ptr<Connection> connection(new Connection(db));
  if (code != SQLITE_OK) return connection->ErrorOf(code);
  // SQLite falls back to reading when the file cannot be opened for both.
  if (sqlite3_db_readonly(db, "main") != 0) {
    return Error{Code::kUnavailable, "the file is read-only"};
  }
  AGENTCA_TRY(connection->Configure(access, options));
  return connection;
}

Status Connection::Configure(Access access, const SqliteOptions& options) {
  sqlite3_busy_timeout(db_, static_cast<int>(options.busy_timeout.count()));
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  AGENTCA_TRY(Execute(access == Access::kWrite ? kWriterPragmas : kReaderPragmas));
  if (options.max_pages == 0) return {};
  return Execute(("PRAGMA max_page_count = " + std::to_string(options.max_pages)).c_str());
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Status Connection::Execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return ErrorOf(code);
  return {};
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
int64_t Connection::changes() const { return sqlite3_total_changes64(db_); }
int64_t Connection::last_row() const { return sqlite3_last_insert_rowid(db_); }

bool Connection::moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(db_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Error Connection::ErrorOf(int code) const {
  const int kind = code & 0xff;
  if (kind == SQLITE_CONSTRAINT) return {Code::kConflict, "an object with this key exists"};
  Log(Level::kError, "database failed",
      {{"code", sqlite3_errstr(code)},
       {"detail", db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_)}});
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

Result<sqlite3_stmt*> Connection::Prepare(const char* sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return ErrorOf(code);
  statements_.emplace(sql, statement);
  return statement;
}

// ---- Query -------------------------------------------------------------------------------------

Query::Query(Connection& connection, const char* sql) : connection_(connection) {
  auto statement = connection.Prepare(sql);
  if (statement.ok()) {
    statement_ = *statement;
  } else {
    status_ = statement.error();
  }
}

Query::~Query() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

Result<bool> Query::Next() {
  if (!status_.ok()) return status_.error();
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.ErrorOf(code);
}

Status Query::Run() {
  for (;;) {
    AGENTCA_ASSIGN(const bool row, Next());
    if (!row) return {};
  }
}

Query& Query::Again() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
  bound_ = 0;
  return *this;
}

void Query::Note(int code) {
  if (code != SQLITE_OK && status_.ok()) status_ = connection_.ErrorOf(code);
}

Query& Query::Bind(std::string_view text) {
  if (!status_.ok()) return *this;
  const char* data = text.data() == nullptr ? "" : text.data();
  Note(sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Query& Query::Bind(ByteView blob) {
  if (!status_.ok()) return *this;
  // A null pointer would bind NULL.
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  Note(sqlite3_bind_blob64(statement_, ++bound_, data, blob.size(), SQLITE_TRANSIENT));
  return *this;
}

Query& Query::Bind(int64_t number) {
  if (!status_.ok()) return *this;
  Note(sqlite3_bind_int64(statement_, ++bound_, number));
  return *this;
}

Query& Query::BindNull() {
  if (!status_.ok()) return *this;
  Note(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Query::Has(int column, int type) {
  if (sqlite3_column_type(statement_, column) == type) return true;
  intact_ = false;
  return false;
}

std::string Query::Text(int column) {
  if (!Has(column, SQLITE_TEXT)) return {};
  const auto* text = sqlite3_column_text(statement_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return {reinterpret_cast<const char*>(text), size};
}

ByteView Query::BlobView(int column) {
  if (!Has(column, SQLITE_BLOB)) return {};
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Bytes Query::Blob(int column) { return ToBytes(BlobView(column)); }

int64_t Query::Int(int column) {
  return Has(column, SQLITE_INTEGER) ? sqlite3_column_int64(statement_, column) : 0;
}

bool Query::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::optional<Time> Query::OptionalAt(int column) {
  if (IsNull(column)) return std::nullopt;
  return At(column);
}

std::optional<std::string> Query::OptionalText(int column) {
  if (IsNull(column)) return std::nullopt;
  return Text(column);
}

}  // namespace agentca::storage
