// Says to the other nodes that this process is alive.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "ca/leases.h"

namespace agentca::ca {

// Thread-safe. The destructor says good-bye, so that others take up at once what is left.
class Heartbeat {
 public:
  explicit Heartbeat(Leases& leases, std::chrono::milliseconds life = kLeaseLife,
                     std::chrono::milliseconds period = kBeatPeriod);
  ~Heartbeat();
  // Enters and beats from then on, on a thread of its own.
  Status Start();
  // Certainly known to be alive, by all nodes. Once it is false others may have taken up the work
  // of this process.
  bool alive() const;

 private:
  using Steady = std::chrono::steady_clock;
  Status Renew(bool first);
  void Run();
  Leases& leases_;
  const std::chrono::milliseconds life_, period_;
  std::atomic<Steady::rep> alive_until_{0};  // of the steady clock
  std::mutex mutex_;                         // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::ca
