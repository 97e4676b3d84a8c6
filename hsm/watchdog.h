// Ends a process that hangs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace agentca::hsm {

// Runs `on_hang` once when a watched stretch of work takes longer than `limit`. What hangs inside a
// PKCS#11 module cannot be cancelled, so `on_hang` is expected to end the process. Thread-safe.
class Watchdog {
 public:
  Watchdog(std::chrono::milliseconds limit, void (*on_hang)());
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  class Watch {  // from construction to destruction
   public:
    explicit Watch(Watchdog& watchdog);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Watchdog& watchdog_;
    std::multiset<std::chrono::steady_clock::time_point>::iterator entry_;
  };

 private:
  void Run();

  const std::chrono::milliseconds limit_;
  void (*const on_hang_)();
  std::mutex mutex_;  // guards all below
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::multiset<std::chrono::steady_clock::time_point> started_;
  std::thread thread_;
};

}  // namespace agentca::hsm
