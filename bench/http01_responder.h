// Answers http-01 challenges (RFC 8555 §8.3) of the load generator's own accounts.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace agentca::bench {

// Listens on 127.0.0.1. Thread-safe. One thread serves one connection at a time and closes it: its
// only client is a validator that asks once.
class Http01Responder {
 public:
  explicit Http01Responder(uint16_t port);  // throws std::system_error when the port is taken
  ~Http01Responder();
  void Put(const std::string& token, const std::string& key_authorization);
  void Remove(const std::string& token);

 private:
  void Run();
  void Serve(int connection);
  int listener_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards answers_
  std::unordered_map<std::string, std::string> answers_;
  std::thread thread_;
};

}  // namespace agentca::bench
