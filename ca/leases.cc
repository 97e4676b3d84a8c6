#include "ca/leases.h"

#include <utility>

#include "ca/base/log.h"

namespace agentca::ca {

using std::chrono::steady_clock;

Duty::Duty(Leases& leases, std::string name) : leases_(leases), name_(std::move(name)) {}

Duty::~Duty() { Release(); }

void Duty::Release() {
  std::lock_guard lock(mutex_);
  asked_ever_ = false;
  if (steady_clock::now() >= std::exchange(ours_until_, SteadyTime{})) return;
  if (const Status released = leases_.Release(name_); !released.ok())
    Log(Level::kWarning, "a duty stays with this node until its lease lapses",
        {{"duty", name_}, {"cause", released.error().detail}});
}

bool Duty::Hold() {
  std::lock_guard lock(mutex_);
  const auto now = steady_clock::now();
  if (asked_ever_ && now < asked_ + kBeatPeriod) return now < ours_until_;
  asked_ever_ = true;
  asked_ = now;
  const auto held = leases_.Hold(name_, kLeaseLife);
  if (held.ok()) ours_until_ = *held ? now + kLeaseLife : SteadyTime{};
  return steady_clock::now() < ours_until_;
}

}  // namespace agentca::ca
