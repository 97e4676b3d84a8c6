// Tells a clock that was set back from one that comes back from a leap ahead.
#pragma once

#include <mutex>
#include <optional>

#include "ca/base/clock.h"

namespace agentca::ca {

// What is signed while the clock runs behind looks stale to everybody, so it is not signed. A mark
// of the latest time ever seen would be no good guard: one leap ahead would silence the signer
// until time has caught up. Instead: time minus uptime is one number, the clock's setting, as long
// as nobody sets it. The guard trusts one setting. A clock that is behind it by more than
// kTolerance runs backwards; one that leapt ahead does not, nor when it comes back. A new setting,
// ahead or behind, is trusted once it has lasted for kPatience: then it is no glitch.
//
// Thread-safe.
class ClockGuard {
 public:
  static constexpr Seconds kTolerance{60};
  static constexpr Seconds kPatience{3600};

  // Trusts the clock's present setting.
  explicit ClockGuard(const Clock& clock);
  // It was `past` already, as something says that outlived a process: no setting behind that is
  // trusted from the start.
  void Remember(Time past);
  // `now`: read from the clock just before.
  bool RunsBackwards(Time now);

 private:
  struct Rival {
    Seconds setting;
    Seconds since;  // uptime when it was seen first
  };
  Seconds Setting(Time time) const { return time.time_since_epoch() - clock_.Uptime(); }

  const Clock& clock_;
  std::mutex mutex_;  // guards the rest
  Seconds trusted_;
  std::optional<Rival> rival_;
};

}  // namespace agentca::ca
