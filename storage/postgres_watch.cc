#include "storage/postgres_watch.h"

#include <sys/socket.h>

#include <iterator>

namespace agentca::storage {

// How late a deadline may be noticed. Deadlines are rare events: nobody is woken for each.
static constexpr std::chrono::milliseconds kPeriod{250};

PostgresWatch::PostgresWatch() : thread_([this] { Run(); }) {}

PostgresWatch::~PostgresWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

PostgresWatch::Deadline::Deadline(PostgresWatch& watch, int socket,
                                  std::chrono::milliseconds from_now)
    : watch_(watch) {
  const Instant deadline = std::chrono::steady_clock::now() + from_now;
  const std::lock_guard lock(watch_.mutex_);
  id_ = watch_.next_++;
  watch_.watched_.emplace(id_, Watched{deadline, socket});
}

PostgresWatch::Deadline::~Deadline() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.watched_.erase(id_);
}

bool PostgresWatch::Deadline::met() const {
  const std::lock_guard lock(watch_.mutex_);
  return !watch_.watched_.contains(id_);
}

void PostgresWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    const Instant now = std::chrono::steady_clock::now();
    for (auto each = watched_.begin(); each != watched_.end();) {
      const auto next = std::next(each);
      if (each->second.deadline <= now) {
        ::shutdown(each->second.socket, SHUT_RDWR);
        watched_.erase(each);
      }
      each = next;
    }
  }
}

}  // namespace agentca::storage
