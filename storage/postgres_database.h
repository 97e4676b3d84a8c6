// A PostgreSQL database: a pool of connections, transactions that are run again when they collide,
// commits whose fate is unknown.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/postgres_connection.h"
#include "storage/postgres_watch.h"

namespace agentca::storage {

// Thread-safe. Each transaction has a connection of its own; PostgreSQL commits those that arrive
// together with one flush.
class PostgresDatabase final : public Database {
 public:
  PostgresDatabase(std::string conninfo, PostgresOptions options);

  // kUnavailable when nothing can be written, also to a standby. Does not wait for a server that is
  // away, nor long for one that is silent.
  Status CheckHealth() override;

  // For migrations: READ COMMITTED, not run again.
  Status RunSchema(const Work& work);

 protected:
  Status RunWrite(const Work& verb, Isolation isolation, const Settled* settled) override;
  Status RunRead(const Work& query) override;
  Status RunSnapshot(const Work& query) override;

 private:
  class Patience;
  // A connection in use; goes back to the idle ones when the lease ends, without a transaction.
  class Lease {
   public:
    Lease(PostgresDatabase& owner, std::unique_ptr<PostgresConnection> connection);
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    // Until the lease ends, or the next call.
    void Watch(std::chrono::milliseconds deadline);
    bool late() const { return watched_ != nullptr && watched_->met(); }
    PostgresConnection& operator*() const { return *connection_; }
    PostgresConnection* operator->() const { return connection_.get(); }

   private:
    PostgresDatabase* owner_;
    std::unique_ptr<PostgresConnection> connection_;
    std::unique_ptr<PostgresWatch::Deadline> watched_;
  };
  struct Idle {
    std::unique_ptr<PostgresConnection> connection;
    bool doubted;  // while it was idle, another met its deadline
  };
  struct Attempt {
    // kDuplicate: a key is in use, perhaps by a transaction beside this one, perhaps for good.
    enum class Next : uint8_t { kDone, kDuplicate, kAgainSoon, kAgainWhenThere, kUnknown } next;
    Status status;
  };

  Result<Lease> Borrow();
  Result<Lease> Connect(std::unique_lock<std::mutex>& lock);
  bool Answers(Lease& lease) const;
  void DropDoubted();
  void Return(std::unique_ptr<PostgresConnection> connection, bool late);
  Status Persist(const Work& verb, Isolation isolation, const Settled* settled);
  Attempt TryVerb(const Work& verb, Isolation isolation, std::chrono::milliseconds deadline);
  Attempt TryWithin(PostgresConnection& connection, Isolation isolation, const Work& verb);
  Attempt TryQuery(const Work& query, std::chrono::milliseconds deadline);
  Status Repeat(const Work& query);

  const std::string conninfo_;
  const PostgresOptions options_;
  PostgresWatch watch_;
  std::mutex mutex_;  // guards the rest but failed_
  std::condition_variable returned_;
  std::vector<Idle> idle_;  // used last, borrowed first
  size_t open_ = 0;         // idle or in use
  std::chrono::steady_clock::time_point no_connect_before_{};
  std::chrono::milliseconds connect_pause_{0};
  Error connect_failure_;            // why one waits until then
  std::atomic<bool> failed_{false};  // the last write, for want of a database
};

}  // namespace agentca::storage
