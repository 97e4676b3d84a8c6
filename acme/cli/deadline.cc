#include "acme/cli/deadline.h"

#include <unistd.h>

#include "acme/cli/commands.h"

namespace agentca::cli {

Deadline::Deadline(std::chrono::milliseconds limit, std::string what)
    : thread_([this, limit, line = "agentca: " + what + " took too long\n"] {
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, limit, [this] { return done_; })) return;
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
