#include "storage/sqlite_database.h"

namespace agentca::storage {

// More readers than this at once are served, but not kept.
static constexpr size_t kMaxIdle = 32;

SqliteDatabase::SqliteDatabase(std::filesystem::path file, SqliteOptions options,
                               std::unique_ptr<SqliteConnection> writer)
    : file_(std::move(file)), options_(options), writer_(std::move(writer)) {}

Result<SqliteDatabase::Lease> SqliteDatabase::Borrow() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
  }
  AGENTCA_ASSIGN(auto connection, SqliteConnection::Open(file_, SqliteConnection::Access::kRead, options_));
  return Lease(*this, std::move(connection));
}

void SqliteDatabase::Return(std::unique_ptr<SqliteConnection> connection) {
  // A statement that failed may have left its snapshot open.
  if (connection->in_transaction() && !connection->Execute("ROLLBACK").ok()) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

// One verb at a time, and a commit of SQLite's either succeeded or did not.
Status SqliteDatabase::RunWrite(const Work& verb, Isolation, const Settled*) {
  return writer_.Run(verb);
}

Status SqliteDatabase::RunRead(const Work& query) {
  AGENTCA_ASSIGN(const Lease lease, Borrow());
  return Guarded(query, lease.connection());
}

Status SqliteDatabase::RunSnapshot(const Work& query) {
  AGENTCA_ASSIGN(const Lease lease, Borrow());
  AGENTCA_TRY(Query(lease.connection(), "BEGIN").Run());
  Status outcome = Guarded(query, lease.connection());
  AGENTCA_TRY(Query(lease.connection(), "COMMIT").Run());
  return outcome;
}

Status SqliteDatabase::CheckStorage(const std::function<void(const std::string&)>& found) {
  return Read([&](Connection& connection) -> Status {
    Query pages(connection, "PRAGMA integrity_check");
    for (;;) {
      AGENTCA_ASSIGN(const bool more, pages.Next());
      if (!more) break;
      if (const std::string words = pages.Text(0); words != "ok") found(words);
    }
    Query keys(connection, "PRAGMA foreign_key_check");
    for (;;) {
      AGENTCA_ASSIGN(const bool more, keys.Next());
      if (!more) return {};
      found("a row of " + keys.Text(0) + " refers to a row of " + keys.Text(2) +
            " that is not there");
    }
  });
}

}  // namespace agentca::storage
