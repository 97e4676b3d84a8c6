#include "hsm/watchdog.h"

namespace agentca::hsm {

using std::chrono::steady_clock;

Watchdog::Watchdog(std::chrono::milliseconds limit, void (*on_hang)())
    : limit_(limit), on_hang_(on_hang), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    // Work that begins later ends its time later: looking again after a limit's tenth is enough.
    stop_changed_.wait_for(lock, limit_ / 10, [this] { return stop_; });
    if (!started_.empty() && steady_clock::now() - *started_.begin() > limit_) {
      on_hang_();
      return;
    }
  }
}

Watchdog::Watch::Watch(Watchdog& watchdog) : watchdog_(watchdog) {
  const std::lock_guard lock(watchdog_.mutex_);
  entry_ = watchdog_.started_.insert(steady_clock::now());
}

Watchdog::Watch::~Watch() {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.started_.erase(entry_);
}

}  // namespace agentca::hsm
