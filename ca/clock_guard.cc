#include "ca/clock_guard.h"

#include <algorithm>

namespace agentca::ca {
namespace {

bool Same(Seconds a, Seconds b) { return std::chrono::abs(a - b) <= ClockGuard::kTolerance; }

}  // namespace

ClockGuard::ClockGuard(const Clock& clock) : clock_(clock), trusted_(Setting(clock.Now())) {}

void ClockGuard::Remember(Time past) {
  std::lock_guard lock(mutex_);
  trusted_ = std::max(trusted_, Setting(past));
}

bool ClockGuard::RunsBackwards(Time now) {
  std::lock_guard lock(mutex_);
  const Seconds uptime = clock_.Uptime();
  const Seconds setting = now.time_since_epoch() - uptime;
  if (Same(setting, trusted_)) {
    rival_.reset();
    return false;
  }
  if (!rival_ || !Same(setting, rival_->setting)) rival_ = Rival{setting, uptime};
  if (uptime - rival_->since >= kPatience) {
    trusted_ = setting;
    rival_.reset();
  }
  return setting < trusted_;
}

}  // namespace agentca::ca
