// What makes a process a node: its name, and the sweeps it runs while it is alive.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "acme/cli/node_id.h"
#include "acme/cli/sweeper.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

using fakes::Eventually;
using std::chrono::milliseconds;

TEST(NodeId, IsMadeOnceAndIsAnotherInEachDirectory) {
  const fakes::TemporaryDirectory one, two;
  OpenSslRandom random;
  const auto id = ReadNodeId(Directory(one.path()), random);
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->size(), 32u);
  EXPECT_EQ(ReadNodeId(Directory(one.path()), random).value(), *id);
  EXPECT_NE(ReadNodeId(Directory(two.path()), random).value(), *id);
}

TEST(NodeId, ThatIsDamagedIsAnError) {
  const fakes::TemporaryDirectory directory;
  OpenSslRandom random;
  for (const char* text : {"", "abc\n", "0123456789abcdef0123456789abcdeg\n"}) {
    std::ofstream(directory / "node-id") << text;
    const auto id = ReadNodeId(Directory(directory.path()), random);
    ASSERT_FALSE(id.ok()) << text;
    EXPECT_NE(id.error().detail.find("node-id"), std::string::npos);
  }
}

class Sweeps : public testing::Test {
 protected:
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "one"};
};

TEST_F(Sweeps, RunAgainAndAgainThoughTheyFail) {
  ca::Heartbeat heartbeat(leases_);
  ASSERT_TRUE(heartbeat.Start().ok());
  std::atomic<int> failing = 0, working = 0;
  const Sweeper sweeper(heartbeat,
                        {{"one", [&]() -> Status {
                            ++failing;
                            return Error{Code::kUnavailable, "the store is away"};
                          }},
                         {"two", [&]() -> Status {
                            ++working;
                            return {};
                          }}},
                        milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return failing > 2 && working > 2; }));
}

TEST_F(Sweeps, RestWhileTheNodeHasNoLease) {
  ca::Heartbeat heartbeat(leases_, milliseconds(100), milliseconds(1));
  ASSERT_TRUE(heartbeat.Start().ok());
  leases_.SetAway(true);
  ASSERT_TRUE(Eventually([&] { return !heartbeat.alive(); }));
  std::atomic<int> runs = 0;
  const Sweeper sweeper(heartbeat,
                        {{"one", [&]() -> Status {
                            ++runs;
                            return {};
                          }}},
                        milliseconds(1));
  const int beats = leases_.beats();
  ASSERT_TRUE(Eventually([&] { return leases_.beats() > beats + 20; }));
  EXPECT_EQ(runs, 0);
  leases_.SetAway(false);
  EXPECT_TRUE(Eventually([&] { return runs > 0; }));
}

}  // namespace
}  // namespace agentca::cli
