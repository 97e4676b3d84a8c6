#include "acme/cli/deadline.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "acme/cli/commands.h"

namespace agentca::cli {
namespace {

// What was started and outlives us would hold the pipes on which our caller waits for our end.
void KillChildren() {
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) ::kill(-child, SIGKILL);  // run_program.cc: its group
  }
}

}  // namespace

Deadline::Deadline(std::chrono::milliseconds limit, std::string what)
    : thread_([this, limit, line = "agentca: " + what + " took too long\n"] {
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, limit, [this] { return done_; })) return;
        KillChildren();
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
        ::_exit(kExitFailure);
      }) {}

Deadline::~Deadline() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

}  // namespace agentca::cli
