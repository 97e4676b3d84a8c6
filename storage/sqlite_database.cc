#include "storage/sqlite_database.h"

namespace agentca::storage {

// More readers than this at once are served, but not kept.
static constexpr size_t kMaxIdle = 32;

SqliteDatabase::SqliteDatabase(std::filesystem::path file, SqliteOptions options,
                               std::unique_ptr<Connection> writer)
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
  AGENTCA_ASSIGN(auto connection, Connection::Open(file_, Connection::Access::kRead, options_));
  return Lease(*this, std::move(connection));
}

void SqliteDatabase::Return(std::unique_ptr<Connection> connection) {
  // A statement that failed may have left its snapshot open.
  if (connection->in_transaction() && !connection->Execute("ROLLBACK").ok()) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

}  // namespace agentca::storage
