// What all connections of one server share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "acme/http/server.h"

namespace agentca::acme::http {

// Counts the handlers that run. Once shut it lets no more in, and Close returns when those inside
// have left: after that nothing that a handler refers to is used any more.
class Gate {
 public:
  bool Enter() {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    ++inside_;
    return true;
  }
  void Leave() {
    std::lock_guard lock(mutex_);
    if (--inside_ == 0 && closed_) empty_.notify_all();
  }
  void Shut() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void Close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    empty_.wait(lock, [this] { return inside_ == 0; });
  }

 private:
  std::mutex mutex_;  // guards closed_, inside_
  std::condition_variable empty_;
  bool closed_ = false;
  size_t inside_ = 0;
};

class Edge {
 public:
  Edge(ServerOptions options, WorkerPool& pool, Handler handler, Refusal refusal,
       FastPath fast_path);

  const Limits& limits() const { return options_.limits; }
  const std::shared_ptr<TlsIdentity>& tls() const { return options_.tls; }
  const std::shared_ptr<TlsClients>& clients() const { return options_.clients; }
  const std::vector<Cidr>& balancers() const { return options_.balancers; }
  WorkerPool& pool() { return pool_; }
  Gate& gate() { return gate_; }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  void BeginDrain() { draining_.store(true, std::memory_order_relaxed); }
  // No connection outlives the answer that it waits for, or gets next.
  bool leaving() const { return leaving_.load(std::memory_order_relaxed) || draining(); }
  void Leave() { leaving_.store(true, std::memory_order_relaxed); }

  // Connections of all shards: counted when accepted, and when closed.
  size_t connections() const { return connections_.load(std::memory_order_relaxed); }
  void Opened() { connections_.fetch_add(1, std::memory_order_relaxed); }
  void Closed();
  // What Limits::max_buffered bounds, of all shards.
  void Hold(size_t octets) { held_.fetch_add(octets, std::memory_order_relaxed); }
  void LetGo(size_t octets) { held_.fetch_sub(octets, std::memory_order_relaxed); }
  bool overfull() const {
    return held_.load(std::memory_order_relaxed) > options_.limits.max_buffered;
  }
  bool AwaitQuiet(std::chrono::milliseconds deadline);  // true: no connection is left
  // A connection of a balancer that had no PROXY header of use is closed. Logs one in ten seconds.
  void LogLackOfHeader(std::string_view balancer, std::string_view cause);

  // None of these throws: what a handler raises is logged and answered with a bare 500.
  Response Handle(const Request& request) const;
  std::optional<Response> HandleFast(const Request& request) const;
  Response Refuse(int status, std::string_view detail) const;

 private:
  const ServerOptions options_;
  WorkerPool& pool_;
  const Handler handler_;
  const Refusal refusal_;
  const FastPath fast_path_;
  Gate gate_;
  std::atomic<bool> draining_{false}, leaving_{false};
  std::atomic<size_t> connections_{0};
  std::atomic<size_t> held_{0};  // octets
  std::mutex quiet_mutex_;       // orders the last Closed before AwaitQuiet's wait
  std::condition_variable quiet_;
  std::mutex lack_mutex_;  // guards lacking_, lack_logged_
  size_t lacking_ = 0;     // since the last that was logged
  std::optional<std::chrono::steady_clock::time_point> lack_logged_;
};

}  // namespace agentca::acme::http
