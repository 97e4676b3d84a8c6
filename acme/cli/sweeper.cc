#include "acme/cli/sweeper.h"

#include "ca/base/log.h"

namespace agentca::cli {

Sweeper::Sweeper(const ca::Heartbeat& heartbeat, std::vector<Sweep> sweeps,
                 std::chrono::milliseconds period)
    : heartbeat_(heartbeat),
      sweeps_(std::move(sweeps)),
      period_(period),
      thread_([this] { Run(); }) {}

Sweeper::~Sweeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Sweeper::Run() {
  std::vector<std::string> complaints(sweeps_.size());  // of the last time
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period_, [this] { return stopping_; })) {
    lock.unlock();
    for (size_t i = 0; i < sweeps_.size() && heartbeat_.alive(); ++i) {
      const Status done = sweeps_[i].run();
      std::string complaint = done.ok() ? "" : done.error().detail;
      if (!complaint.empty() && complaint != complaints[i])
        Log(Level::kError, "a sweep failed and will be tried again",
            {{"sweep", sweeps_[i].what}, {"cause", complaint}});
      complaints[i] = std::move(complaint);
    }
    lock.lock();
  }
}

}  // namespace agentca::cli
