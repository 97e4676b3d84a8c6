// One child process with a socket to it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/file.h"

namespace agentca::hsm {

// Killed and reaped at the end, if not before. Not thread-safe, but for pid().
class ChildProcess {
 public:
  // Runs `command` with `socket` as its descriptor 3, standard input empty, output and error
  // inherited, every other descriptor closed, no signal blocked, and a process group of its own (a
  // terminal's interrupt goes to the parent, which lets its work end first). kUnavailable.
  static Result<std::unique_ptr<ChildProcess>> Spawn(const std::vector<std::string>& command,
                                                     int socket);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Waits for its end at most `patience`, then kills it. How it ended, in words.
  std::string End(std::chrono::milliseconds patience);

 private:
  ChildProcess(pid_t pid, FileDescriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  const pid_t pid_;
  const FileDescriptor pidfd_;  // readable once the child has ended
  bool reaped_ = false;
};

}  // namespace agentca::hsm
