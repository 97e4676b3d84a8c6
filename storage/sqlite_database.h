// One SQLite file: a writer that commits groups and readers that never wait for it.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/sqlite_connection.h"
#include "storage/sqlite_writer.h"

namespace agentca::storage {

class SqliteDatabase final : public Database {
 public:
  // The file exists and has the schema of this program.
  SqliteDatabase(std::filesystem::path file, SqliteOptions options,
                 std::unique_ptr<SqliteConnection> writer);

  Status CheckHealth() override { return writer_.Check(); }
  Status CheckStorage(const std::function<void(const std::string&)>& found) override;
  const std::filesystem::path& file() const { return file_; }

 protected:
  Status RunWrite(const Work& verb, Isolation isolation, const Settled* settled) override;
  Status RunRead(const Work& query) override;
  Status RunSnapshot(const Work& query) override;

 private:
  // A reader in use; goes back to the idle ones when the lease ends.
  class Lease {
   public:
    Lease(SqliteDatabase& owner, std::unique_ptr<SqliteConnection> connection)
        : owner_(&owner), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_ != nullptr) owner_->Return(std::move(connection_));
    }
    Connection& connection() const { return *connection_; }

   private:
    SqliteDatabase* owner_;
    std::unique_ptr<SqliteConnection> connection_;
  };
  Result<Lease> Borrow();
  void Return(std::unique_ptr<SqliteConnection> connection);

  const std::filesystem::path file_;
  const SqliteOptions options_;
  SqliteWriter writer_;
  std::mutex mutex_;                               // guards idle_
  std::vector<std::unique_ptr<SqliteConnection>> idle_;  // used last, borrowed first
};

}  // namespace agentca::storage
