// Group commit, with groups that the tests compose.
#include "storage/sqlite_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <thread>

#include "tests/contract/backends.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::storage {
namespace {

using contract::FailsWith;
using contract::IsOk;

class GroupCommit : public testing::Test {
 protected:
  GroupCommit() {
    std::ofstream(file_).close();
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kWrite, {}).value();
    EXPECT_TRUE(
        IsOk(connection->Execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER);"
                                 "CREATE TABLE health (probes INTEGER)")));
    writer_ = std::make_unique<SqliteWriter>(std::move(connection));
  }

  // Holds the lead until all of `verbs` wait, so that they share the next commit.
  std::vector<Status> RunTogether(const std::vector<SqliteWriter::Verb>& verbs) {
    std::vector<Status> results(verbs.size());
    std::vector<std::thread> threads;
    const Status leader = writer_->Run([&](Connection&) -> Status {
      for (size_t i = 0; i < verbs.size(); ++i) {
        threads.emplace_back([&, i] { results[i] = writer_->Run(verbs[i]); });
        // In the order of `verbs`.
        EXPECT_TRUE(fakes::Eventually([&] { return writer_->waiting() == i + 1; }));
      }
      return {};
    });
    EXPECT_TRUE(IsOk(leader));
    for (std::thread& each : threads) each.join();
    return results;
  }
  static SqliteWriter::Verb Insert(int64_t x, Status then = {}) {
    return [x, then](Connection& connection) -> Status {
      AGENTCA_TRY(Query(connection, "INSERT INTO t VALUES (?)", x).Run());
      return then;
    };
  }
  std::vector<int64_t> Stored() {
    auto reader = SqliteConnection::Open(file_, SqliteConnection::Access::kRead, {}).value();
    std::vector<int64_t> stored;
    Query row(*reader, "SELECT x FROM t ORDER BY x");
    while (row.Next().value()) stored.push_back(row.Int(0));
    return stored;
  }

  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "t.sqlite";
  std::unique_ptr<SqliteWriter> writer_;
};

TEST_F(GroupCommit, AVerbThatFailsRollsBackOnlyItself) {
  const auto results = RunTogether({Insert(1), Insert(2, Error{Code::kConflict, "no"}), Insert(3)});
  EXPECT_TRUE(IsOk(results[0]));
  EXPECT_TRUE(FailsWith(Code::kConflict, results[1]));
  EXPECT_TRUE(IsOk(results[2]));
  EXPECT_EQ(Stored(), (std::vector<int64_t>{1, 3}));
}

TEST_F(GroupCommit, AVerbThatFailsAloneIsRolledBack) {
  EXPECT_TRUE(FailsWith(Code::kConflict, writer_->Run(Insert(1, Error{Code::kConflict, "no"}))));
  EXPECT_TRUE(Stored().empty());
  EXPECT_TRUE(IsOk(writer_->Run(Insert(2))));
  EXPECT_EQ(Stored(), std::vector<int64_t>{2});
}

TEST_F(GroupCommit, AFailureOfTheDatabaseFailsAllWhoShareTheCommit) {
  const auto results =
      RunTogether({Insert(1), Insert(2, Error{Code::kUnavailable, "disk"}), Insert(3)});
  for (const Status& each : results) EXPECT_TRUE(FailsWith(Code::kUnavailable, each));
  EXPECT_TRUE(Stored().empty());
  EXPECT_TRUE(IsOk(writer_->Check()));
  EXPECT_TRUE(IsOk(writer_->Run(Insert(4))));
  EXPECT_EQ(Stored(), std::vector<int64_t>{4});
}

TEST_F(GroupCommit, ALostTransactionFailsAllWhoShareTheCommit) {
  const SqliteWriter::Verb lose = [](Connection& connection) {
    return connection.Execute("ROLLBACK");
  };
  const auto results = RunTogether({Insert(1), lose, Insert(3)});
  for (const Status& each : results) EXPECT_FALSE(each.ok());
  EXPECT_TRUE(Stored().empty());
}

TEST_F(GroupCommit, AnExceptionStaysInItsVerb) {
  const SqliteWriter::Verb raise = [](Connection&) -> Status { throw std::bad_alloc(); };
  const auto results = RunTogether({Insert(1), raise, Insert(3)});
  EXPECT_TRUE(IsOk(results[0]));
  EXPECT_TRUE(FailsWith(Code::kInternal, results[1]));
  EXPECT_TRUE(IsOk(results[2]));
  EXPECT_EQ(Stored(), (std::vector<int64_t>{1, 3}));
}

TEST_F(GroupCommit, MoreThanOneBatchWaitsItsTurn) {
  std::vector<SqliteWriter::Verb> verbs;
  for (int i = 0; i < 300; ++i) verbs.push_back(Insert(i));
  for (const Status& each : RunTogether(verbs)) EXPECT_TRUE(IsOk(each));
  EXPECT_EQ(Stored().size(), 300U);
}

}  // namespace
}  // namespace agentca::storage
