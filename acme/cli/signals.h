// SIGTERM, SIGINT and SIGHUP as events. Make it before any other thread: they inherit the mask that
// keeps these signals away from them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "ca/base/file.h"

namespace agentca::cli {

class Signals {
 public:
  enum class Event : uint8_t { kStop, kReload };
  static Result<std::unique_ptr<Signals>> Watch();
  ~Signals();

  // Until now a request to stop ended the process at once: nothing was accepted yet. From now on it
  // waits for Wait. To be called before anything is accepted.
  void BeginServing();
  // Waits for the next event. After kStop was returned, a second request to stop, or the end of
  // `grace`, ends the process at once.
  Event Wait(std::chrono::milliseconds grace);

 private:
  Signals(FileDescriptor signal_fd, FileDescriptor quit_fd);
  void Run();
  void Handle(int signal);

  const FileDescriptor signal_fd_, quit_fd_;
  std::mutex mutex_;  // guards the rest but thread_
  std::condition_variable changed_;
  enum class Phase : uint8_t { kStarting, kServing, kStopping } phase_ = Phase::kStarting;
  bool stop_ = false, reload_ = false;
  std::chrono::milliseconds grace_{};
  std::thread thread_;
};

}  // namespace agentca::cli
