// Bounds a whole run of a command, whatever it waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace agentca::cli {

// When it is still there after `limit`, it ends the programs that this process runs
// (acme/cli/run_program.h), says so on standard error, and ends the process with kExitFailure: a hook
// that hangs would hang its ACME client.
class Deadline {
 public:
  Deadline(std::chrono::milliseconds limit, std::string what);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;  // guards done_
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace agentca::cli
