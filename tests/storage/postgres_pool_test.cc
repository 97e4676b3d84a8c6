// Which connections are kept.
#include <algorithm>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "storage/postgres_database.h"
#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

using std::chrono::milliseconds;

class PostgresPool : public Postgres {
 protected:
  static constexpr int kConnections = 4;

  PostgresDatabase Open() {
    PostgresOptions options;
    options.deadline = milliseconds(500);
    options.patience = milliseconds(300);
    options.max_connections = kConnections;
    return {ParsePostgresUri(uri_)->conninfo, options};
  }
  // Of the processes of the server that serve all connections at once; none had to be tried twice.
  static std::set<int64_t> Processes(PostgresDatabase& database) {
    std::latch all(kConnections);
    std::mutex mutex;  // guards found
    std::set<int64_t> found;
    std::vector<std::thread> readers;
    for (int i = 0; i < kConnections; ++i) {
      readers.emplace_back([&] {
        EXPECT_TRUE(IsOk(database.Read([&](Connection& connection) -> Status {
          const auto process = ProcessOf(connection);
          EXPECT_TRUE(IsOk(process)) << "of a connection that should not have been kept";
          all.arrive_and_wait();
          const std::lock_guard lock(mutex);
          found.insert(process.ok() ? *process : 0);
          return {};
        })));
      });
    }
    for (std::thread& each : readers) each.join();
    return found;
  }
  static Result<int64_t> ProcessOf(Connection& connection) {
    Query row(connection, "SELECT pg_backend_pid()");
    AGENTCA_TRY(row.Next());
    return row.Int(0);
  }
  static size_t Common(const std::set<int64_t>& a, const std::set<int64_t>& b) {
    return static_cast<size_t>(
        std::count_if(a.begin(), a.end(), [&](int64_t each) { return b.contains(each); }));
  }
};

TEST_F(PostgresPool, AVerbThatIsLateCostsItsOwnConnectionOnly) {
  PostgresDatabase database = Open();
  const auto before = Processes(database);
  ASSERT_EQ(before.size(), size_t{kConnections});
  EXPECT_TRUE(FailsWith(Code::kUnavailable, database.Write([](Connection& connection) {
    return Query(connection, "SELECT pg_sleep(30)").Run();
  })));
  const auto after = Processes(database);
  EXPECT_EQ(after.size(), size_t{kConnections});
  EXPECT_EQ(Common(before, after), size_t{kConnections - 1});
  EXPECT_EQ(Processes(database), after);
}

TEST_F(PostgresPool, AConnectionThatTheServerEndedTakesTheIdleOnesWithIt) {
  PostgresDatabase database = Open();
  const auto before = Processes(database);
  for (const int64_t each : before)
    Execute("SELECT pg_terminate_backend(" + std::to_string(each) + ")");
  int tries = 0;
  EXPECT_TRUE(IsOk(database.Read([&](Connection& connection) -> Result<int64_t> {
    ++tries;
    return ProcessOf(connection);
  })));
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(Common(before, Processes(database)), 0U);
}

}  // namespace
}  // namespace agentca::storage
