// Group commit: verbs that arrive while one commit is under way share the next.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ca/base/group_commit.h"
#include "storage/sqlite_connection.h"

namespace agentca::storage {

// The leader of a batch runs each verb within a savepoint of one transaction and commits once:
// BEGIN IMMEDIATE, (SAVEPOINT verb RELEASE)…, COMMIT. Thread-safe.
class SqliteWriter {
 public:
  using Verb = std::function<Status(Connection&)>;
  explicit SqliteWriter(std::unique_ptr<SqliteConnection> connection);

  // Returns the verb's own failure (its effects are rolled back, those of others stay), or success
  // when its effects are durable. kUnavailable when the commit they shared failed. The verb may run
  // on another caller's thread.
  Status Run(const Verb& verb);
  // Whether Run would succeed: takes the lock for writing; after a failure writes for real.
  Status Check();
  // Callers that wait for the next commit.
  size_t waiting() const { return group_.waiting(); }

 private:
  struct Waiting {
    const Verb& verb;
    Status result;
  };
  void Settle(const std::vector<Waiting*>& batch);
  Status Commit(const std::vector<Waiting*>& batch);
  Status RunWithin(Waiting& waiting);
  Status Begin();
  Status Probe();

  GroupCommit<Waiting> group_;
  // The leader's alone.
  const std::unique_ptr<SqliteConnection> connection_;
  bool failed_ = false;  // the last commit failed
};

}  // namespace agentca::storage
