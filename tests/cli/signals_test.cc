#include "acme/cli/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace agentca::cli {
namespace {

constexpr std::chrono::hours kNoEnd{1};
constexpr int kDrained = 42;

// What the process of `agentca serve` does when it is told to stop in one phase of its life. Each
// runs in a process of its own and ends it.
[[noreturn]] void StopWhileStarting() {
  const auto signals = Signals::Watch();
  ::kill(::getpid(), SIGTERM);
  for (;;) ::pause();
}

[[noreturn]] void StopBeforeTheFirstWait() {
  const auto signals = Signals::Watch();
  (*signals)->BeginServing();
  ::kill(::getpid(), SIGTERM);
  ::_exit((*signals)->Wait(kNoEnd) == Signals::Event::kStop ? kDrained : 1);
}

[[noreturn]] void StopTwice() {
  const auto signals = Signals::Watch();
  (*signals)->BeginServing();
  ::kill(::getpid(), SIGINT);
  (*signals)->Wait(kNoEnd);
  ::kill(::getpid(), SIGTERM);
  for (;;) ::pause();
}

[[noreturn]] void DrainForTooLong() {
  const auto signals = Signals::Watch();
  (*signals)->BeginServing();
  ::kill(::getpid(), SIGTERM);
  (*signals)->Wait(std::chrono::milliseconds(1));
  for (;;) ::pause();
}

TEST(SignalsDeathTest, AStopWhileStartingEndsAtOnce) {
  EXPECT_EXIT(StopWhileStarting(), testing::ExitedWithCode(0), "stopped while starting");
}

TEST(SignalsDeathTest, AStopBetweenBeginServingAndWaitIsDrained) {
  EXPECT_EXIT(StopBeforeTheFirstWait(), testing::ExitedWithCode(kDrained), "^$");
}

TEST(SignalsDeathTest, ASecondStopEndsAtOnce) {
  EXPECT_EXIT(StopTwice(), testing::ExitedWithCode(1), "second signal");
}

TEST(SignalsDeathTest, TheEndOfTheGraceEndsADrain) {
  EXPECT_EXIT(DrainForTooLong(), testing::ExitedWithCode(0), "drain deadline passed");
}

}  // namespace
}  // namespace agentca::cli
