// Ends waits for a database server that does not answer: libpq itself waits for ever.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

namespace agentca::storage {

// Shuts the sockets of those down that are past their deadline, so that whoever waits on one finds
// its connection broken. Thread-safe; one thread of its own.
class PostgresWatch {
 public:
  PostgresWatch();
  ~PostgresWatch();
  PostgresWatch(const PostgresWatch&) = delete;
  PostgresWatch& operator=(const PostgresWatch&) = delete;

  // While it lives. The socket outlives it.
  class Deadline {
   public:
    Deadline(PostgresWatch& watch, int socket, std::chrono::milliseconds from_now);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool met() const;  // the socket was shut down

   private:
    PostgresWatch& watch_;
    uint64_t id_ = 0;
  };

 private:
  using Instant = std::chrono::steady_clock::time_point;
  struct Watched {
    Instant deadline;
    int socket;
  };
  void Run();

  std::mutex mutex_;  // guards the rest but thread_
  std::condition_variable changed_;
  std::map<uint64_t, Watched> watched_;
  uint64_t next_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::storage
