// Looks again and again for work that other nodes left behind.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ca/heartbeat.h"

namespace agentca::cli {

// What must come about on some node: one of the sweeps of a Sweeper.
struct Sweep {
  std::string what;  // for the log
  std::function<Status()> run;
};

// Runs the sweeps in turn, each `period`, on a thread of its own; none while this node is not known
// to be alive. What a sweep could not do is tried again. The destructor waits for the sweep under
// way.
class Sweeper {
 public:
  static constexpr std::chrono::milliseconds kPeriod{3'000};
  Sweeper(const ca::Heartbeat& heartbeat, std::vector<Sweep> sweeps,
          std::chrono::milliseconds period = kPeriod);
  ~Sweeper();

 private:
  void Run();
  const ca::Heartbeat& heartbeat_;
  const std::vector<Sweep> sweeps_;
  const std::chrono::milliseconds period_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: uses the rest
};

}  // namespace agentca::cli
