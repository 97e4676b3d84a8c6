// One SQLite file: a writer that commits groups and readers that never wait for it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "storage/key_cache.h"
#include "storage/sqlite_connection.h"
#include "storage/sqlite_writer.h"

namespace agentca::storage {

// Thread-safe.
class SqliteDatabase {
 public:
  // The file exists and has the schema of this program.
  SqliteDatabase(std::filesystem::path file, SqliteOptions options,
                 std::unique_ptr<Connection> writer);

  // Runs `verb` (Connection& → Status or Result) in a transaction that is durable upon success.
  template <class Verb>
  auto Write(const Verb& verb) -> std::invoke_result_t<Verb, Connection&> {
    using Outcome = std::invoke_result_t<Verb, Connection&>;
    std::optional<Outcome> outcome;
    AGENTCA_TRY(writer_.Run([&](Connection& connection) -> Status {
      outcome = verb(connection);
      if (!outcome->ok()) return outcome->error();
      return {};
    }));
    return *std::move(outcome);
  }

  // Runs `query` on a connection of its own. Each statement sees what was committed before it
  // began.
  template <class F>
  auto Read(const F& query) -> std::invoke_result_t<F, Connection&> {
    AGENTCA_ASSIGN(const Lease lease, Borrow());
    return Guard(query, lease.connection());
  }
  // The same, and all statements see one state.
  template <class F>
  auto ReadSnapshot(const F& query) -> std::invoke_result_t<F, Connection&> {
    AGENTCA_ASSIGN(const Lease lease, Borrow());
    AGENTCA_TRY(Query(lease.connection(), "BEGIN").Run());
    auto outcome = Guard(query, lease.connection());
    AGENTCA_TRY(Query(lease.connection(), "COMMIT").Run());
    return outcome;
  }

  Status CheckHealth() { return writer_.Check(); }
  KeyCache& keys() { return keys_; }
  const std::filesystem::path& file() const { return file_; }

 private:
  // A reader in use; goes back to the idle ones when the lease ends.
  class Lease {
   public:
    Lease(SqliteDatabase& owner, std::unique_ptr<Connection> connection)
        : owner_(&owner), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_ != nullptr) owner_->Return(std::move(connection_));
    }
    Connection& connection() const { return *connection_; }

   private:
    SqliteDatabase* owner_;
    std::unique_ptr<Connection> connection_;
  };
  Result<Lease> Borrow();
  void Return(std::unique_ptr<Connection> connection);

  template <class F>
  static auto Guard(const F& query, Connection& connection)
      -> std::invoke_result_t<F, Connection&> {
    try {
      return query(connection);
    } catch (const std::exception& exception) {  // memory
      return Error{Code::kInternal, std::string("storage: ") + exception.what()};
    }
  }

  const std::filesystem::path file_;
  const SqliteOptions options_;
  KeyCache keys_;
  SqliteWriter writer_;
  std::mutex mutex_;                               // guards idle_
  std::vector<std::unique_ptr<Connection>> idle_;  // used last, borrowed first
};

}  // namespace agentca::storage
