#include "ca/heartbeat.h"

#include "ca/base/log.h"

namespace agentca::ca {

Heartbeat::Heartbeat(Leases& leases, std::chrono::milliseconds life,
                     std::chrono::milliseconds period)
    : leases_(leases), life_(life), period_(period) {}

Heartbeat::~Heartbeat() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (const Status left = leases_.Leave(); !left.ok())
    Log(Level::kWarning, "others will not know that this node has gone until its lease lapses",
        {{"cause", left.error().detail}});
}

Status Heartbeat::Start() {
  AGENTCA_TRY(Renew(true));
  thread_ = std::thread([this] { Run(); });
  return {};
}

bool Heartbeat::alive() const {
  return Steady::now().time_since_epoch().count() < alive_until_.load();
}

// The lease is at least as long as this says: it began after the request did.
Status Heartbeat::Renew(bool first) {
  const auto until = Steady::now() + life_;
  AGENTCA_TRY(first ? leases_.Enter(life_) : leases_.Beat(life_));
  alive_until_ = until.time_since_epoch().count();
  return {};
}

void Heartbeat::Run() {
  bool lapsed = false;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period_, [this] { return stopping_; })) {
    lock.unlock();
    const Status renewed = Renew(false);
    if (!renewed.ok() && !alive() && !lapsed) {
      lapsed = true;
      Log(Level::kError, "the lease of this node lapsed: others may take up its work",
          {{"cause", renewed.error().detail}});
    } else if (renewed.ok() && lapsed) {
      lapsed = false;
      Log(Level::kInfo, "this node has its lease again");
    }
    lock.lock();
  }
}

}  // namespace agentca::ca
