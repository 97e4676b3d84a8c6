// The listening socket: accepts and spreads connections over the shards.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <memory>
#include <vector>

#include "acme/http/shard.h"

namespace agentca::acme::http {

class Listener {
 public:
  // kMalformed: not "ADDR:PORT"; kUnavailable: cannot be bound. Runs on the first shard's thread.
  static Result<std::unique_ptr<Listener>> Open(std::string_view address,
                                                std::shared_ptr<Edge> edge,
                                                std::vector<std::shared_ptr<Shard>> shards);
  uint16_t port() const { return port_; }
  void Run();    // on the first shard's thread
  void Close();  // on the first shard's thread; what the kernel has already accepted is served

 private:
  Listener(std::shared_ptr<Edge> edge, std::vector<std::shared_ptr<Shard>> shards);
  Status Bind(const boost::asio::ip::tcp::endpoint& endpoint);
  void Await();
  enum class Accepted { kOne, kNone, kExhausted };
  Accepted AcceptOne();
  void Hand(int descriptor, Peer peer);
  void Pause();

  using Executor = boost::asio::io_context::executor_type;
  const std::shared_ptr<Edge> edge_;
  const std::vector<std::shared_ptr<Shard>> shards_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor> acceptor_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>, Executor>
      pause_;
  Instant last_complaint_{};
  uint16_t port_ = 0;
};

}  // namespace agentca::acme::http
