#include "ca/clock_guard.h"

#include <gtest/gtest.h>

#include "tests/fakes/fixed.h"

namespace agentca::ca {
namespace {

constexpr Seconds kYear{365 * 86400};

class Guard : public testing::Test {
 protected:
  bool RunsBackwards() { return guard_.RunsBackwards(clock_.Now()); }

  fakes::ManualClock clock_;
  ClockGuard guard_{clock_};
};

TEST_F(Guard, LetsTimePass) {
  for (int day = 0; day < 100; ++day) {
    EXPECT_FALSE(RunsBackwards());
    clock_.Advance(Seconds(86400));
  }
}

TEST_F(Guard, ToleratesAMinute) {
  clock_.Leap(-ClockGuard::kTolerance);
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(Seconds(-1));
  EXPECT_TRUE(RunsBackwards());
}

TEST_F(Guard, AMinuteAtATimeIsNoWayAroundIt) {
  clock_.Leap(-ClockGuard::kTolerance);
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(-ClockGuard::kTolerance);
  EXPECT_TRUE(RunsBackwards());
}

TEST_F(Guard, AClockThatComesBackFromALeapAheadDoesNotRunBackwards) {
  clock_.Leap(10 * kYear);
  EXPECT_FALSE(RunsBackwards());
  clock_.Advance(ClockGuard::kPatience - Seconds(1));
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(-10 * kYear);
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(Seconds(-61));
  EXPECT_TRUE(RunsBackwards()) << "further back than it came from";
}

TEST_F(Guard, ALeapAheadThatLastsIsTheTime) {
  clock_.Leap(kYear);
  EXPECT_FALSE(RunsBackwards());
  clock_.Advance(ClockGuard::kPatience);
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(-kYear);
  EXPECT_TRUE(RunsBackwards());
}

TEST_F(Guard, AClockSetBackIsBelievedOnceItLasts) {
  clock_.Leap(-kYear);
  EXPECT_TRUE(RunsBackwards());
  clock_.Advance(ClockGuard::kPatience - Seconds(1));
  EXPECT_TRUE(RunsBackwards());
  clock_.Advance(Seconds(1));
  EXPECT_FALSE(RunsBackwards());
  clock_.Leap(Seconds(-61));
  EXPECT_TRUE(RunsBackwards());
}

TEST_F(Guard, AClockThatWaversIsNotBelieved) {
  for (int i = 0; i < 10; ++i) {
    clock_.Leap(Seconds(-120));
    EXPECT_TRUE(RunsBackwards());
    clock_.Advance(ClockGuard::kPatience / 2);
  }
}

TEST_F(Guard, RemembersWhatItWasTold) {
  guard_.Remember(clock_.Now() - kYear);
  EXPECT_FALSE(RunsBackwards());
  guard_.Remember(clock_.Now() + Seconds(86400));
  EXPECT_TRUE(RunsBackwards());
  clock_.Leap(Seconds(86400));
  EXPECT_FALSE(RunsBackwards());
}

TEST(SystemClock, UptimeRunsAsTheClockDoes) {
  const SystemClock clock;
  ClockGuard guard(clock);
  EXPECT_GT(clock.Uptime(), Seconds(0));
  EXPECT_FALSE(guard.RunsBackwards(clock.Now()));
  EXPECT_TRUE(guard.RunsBackwards(clock.Now() - Seconds(100)));
}

}  // namespace
}  // namespace agentca::ca
