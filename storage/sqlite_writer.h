// Group commit: verbs that arrive while one commit is under way share the next.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/sqlite_connection.h"

namespace agentca::storage {

// There is no writer thread. The first caller to find nobody at work leads: it takes everything
// that waits, runs each verb within a savepoint of one transaction, commits once, wakes the others
// and hands the lead to the first of those that came meanwhile. A lone caller thus pays for no
// change of threads. Thread-safe.
//
//   Run ──► queue ──somebody leads──► wait ──settled──► result
//                 └─nobody leads──► BEGIN IMMEDIATE, (SAVEPOINT verb RELEASE)…, COMMIT ──► result
class SqliteWriter {
 public:
  using Verb = std::function<Status(Connection&)>;
  explicit SqliteWriter(std::unique_ptr<Connection> connection);

  // Returns the verb's own failure (its effects are rolled back, those of others stay), or success
  // when its effects are durable. kUnavailable when the commit they shared failed. The verb may run
  // on another caller's thread.
  Status Run(const Verb& verb);
  // Whether Run would succeed: takes the lock for writing; after a failure writes for real.
  Status Check();
  // Callers that wait for the next commit.
  size_t waiting() const;

 private:
  struct Waiting {
    const Verb& verb;
    Status result;
    bool settled = false;
    std::condition_variable wake;
  };
  void Lead(std::unique_lock<std::mutex>& lock);
  void Settle(const std::vector<Waiting*>& batch);
  Status Commit(const std::vector<Waiting*>& batch);
  Status RunWithin(Waiting& waiting);
  Status Begin();
  Status Probe();

  mutable std::mutex mutex_;  // guards queue_, leading_
  std::vector<Waiting*> queue_;
  bool leading_ = false;
  // The leader's alone.
  const std::unique_ptr<Connection> connection_;
  bool failed_ = false;  // the last commit failed
};

}  // namespace agentca::storage
