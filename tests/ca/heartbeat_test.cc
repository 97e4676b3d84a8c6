#include "ca/heartbeat.h"

#include <gtest/gtest.h>

#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_cluster.h"

namespace agentca::ca {
namespace {

using fakes::Eventually;
using std::chrono::milliseconds;

class Beating : public testing::Test {
 protected:
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "one"};
};

TEST_F(Beating, ANodeIsAliveFromItsStartOn) {
  Heartbeat heartbeat(leases_, milliseconds(60'000), milliseconds(1));
  EXPECT_FALSE(heartbeat.alive());
  ASSERT_TRUE(heartbeat.Start().ok());
  EXPECT_TRUE(heartbeat.alive());
  EXPECT_TRUE(Eventually([&] { return leases_.beats() > 3; }));
}

TEST_F(Beating, AStoreThatIsAwayKeepsItFromStarting) {
  leases_.SetAway(true);
  Heartbeat heartbeat(leases_);
  EXPECT_EQ(heartbeat.Start().error().code, Code::kUnavailable);
  EXPECT_FALSE(heartbeat.alive());
}

TEST_F(Beating, ItIsNoLongerAliveWhenItsLeaseLapsedAndComesBack) {
  Heartbeat heartbeat(leases_, milliseconds(200), milliseconds(5));
  ASSERT_TRUE(heartbeat.Start().ok());
  leases_.SetAway(true);
  EXPECT_TRUE(Eventually([&] { return !heartbeat.alive(); }));
  leases_.SetAway(false);
  EXPECT_TRUE(Eventually([&] { return heartbeat.alive(); }));
}

TEST_F(Beating, ItSaysGoodByeOnce) {
  { Heartbeat never_started(leases_); }
  EXPECT_EQ(leases_.farewells(), 0);
  {
    Heartbeat heartbeat(leases_);
    ASSERT_TRUE(heartbeat.Start().ok());
  }
  EXPECT_EQ(leases_.farewells(), 1);
}

TEST_F(Beating, ADutyIsHeldUntilItsLeaseWouldLapse) {
  {
    Duty duty(leases_, "duty");
    EXPECT_TRUE(duty.Hold());
    EXPECT_EQ(book_.HolderOf("duty"), "one");
    leases_.SetAway(true);
    EXPECT_TRUE(duty.Hold());
    leases_.SetAway(false);
  }
  EXPECT_EQ(book_.HolderOf("duty"), "") << "it is freed in the end";
}

TEST_F(Beating, ADutyThatIsLetGoIsFreeUntilItIsAskedForAgain) {
  Duty duty(leases_, "duty");
  duty.Release();
  EXPECT_TRUE(duty.Hold());
  duty.Release();
  EXPECT_EQ(book_.HolderOf("duty"), "");
  EXPECT_TRUE(duty.Hold()) << "though it asked a moment ago";
  EXPECT_EQ(book_.HolderOf("duty"), "one");
  duty.Release();
  book_.Give("duty", "two");
  EXPECT_FALSE(duty.Hold());
  duty.Release();
  EXPECT_EQ(book_.HolderOf("duty"), "two");
}

TEST_F(Beating, ADutyOfAnotherStaysWithIt) {
  book_.Give("duty", "two");
  {
    Duty duty(leases_, "duty");
    EXPECT_FALSE(duty.Hold());
  }
  EXPECT_EQ(book_.HolderOf("duty"), "two");
}

TEST_F(Beating, ADutyIsNobodysWhileTheStoreIsAway) {
  leases_.SetAway(true);
  Duty duty(leases_, "duty");
  EXPECT_FALSE(duty.Hold());
}

}  // namespace
}  // namespace agentca::ca
