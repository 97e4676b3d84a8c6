// A connection to an SQLite file and the statements prepared on it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <unordered_map>

#include "storage/sql.h"

struct sqlite3;

namespace agentca::storage {

// What tests narrow down; the defaults are what the program uses.
struct SqliteOptions {
  std::chrono::milliseconds busy_timeout{5'000};  // for the lock of another process
  int64_t max_pages = 0;                          // of the file; 0: no limit of our own
};

class SqliteConnection final : public Connection {
 public:
  enum class Access { kRead, kWrite };
  static Result<std::unique_ptr<SqliteConnection>> Open(const std::filesystem::path& file,
                                                        Access access,
                                                        const SqliteOptions& options);
  ~SqliteConnection() override;

  Status Execute(const char* sql) override;
  Result<Statement*> Prepare(const char* sql) override;
  bool in_transaction() const override;
  const char* clock_sql() const override {
    return "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
  }
  // Whether the name of the file still leads to the file that is open.
  bool moved() const;

 private:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}
  Status Configure(Access access, const SqliteOptions& options);

  sqlite3* db_;
  std::unordered_map<const char*, std::unique_ptr<Statement>> statements_;
};

}  // namespace agentca::storage
