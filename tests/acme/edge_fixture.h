// A server on a free port and clients that speak raw octets to it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "acme/http/server.h"

namespace agentca::acme::http::testing {

using namespace std::chrono_literals;

// A blocking client whose reads end after a generous time, so that a test fails instead of hanging.
class RawClient {
 public:
  explicit RawClient(uint16_t port)
      : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), connected_(other.connected_) {}
  ~RawClient() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int descriptor() const { return descriptor_; }

  bool Send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t n = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      octets.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void EndWriting() { ::shutdown(descriptor_, SHUT_WR); }

  // False: the peer closed, reset, or kept silent for 20 s (silent() tells).
  bool ReadSome() {
    pollfd polled{descriptor_, POLLIN, 0};
    if (::poll(&polled, 1, 20'000) != 1) {
      silent_ = true;
      return false;
    }
    char chunk[65536];
    const ssize_t n = ::recv(descriptor_, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    received_.append(chunk, static_cast<size_t>(n));
    return true;
  }
  std::string ReadToEnd() {
    while (ReadSome()) {
    }
    EXPECT_FALSE(silent_) << "the server kept the connection open; got: " << received_;
    return std::exchange(received_, {});
  }
  // One response with Content-Length or without content.
  std::string ReadResponse(bool without_content = false) {
    size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!ReadSome()) return std::exchange(received_, {});
    end += 4;
    const size_t length = received_.find("Content-Length: ");
    if (!without_content && length != std::string::npos && length < end)
      end += static_cast<size_t>(std::stoul(received_.substr(length + 16)));
    while (received_.size() < end)
      if (!ReadSome()) break;
    std::string response = received_.substr(0, end);
    received_.erase(0, end);
    return response;
  }
  std::string Ask(std::string_view request) {
    EXPECT_TRUE(Send(request));
    return ReadResponse();
  }
  bool silent() const { return silent_; }

 private:
  int descriptor_;
  bool connected_ = false;
  bool silent_ = false;
  std::string received_;
};

inline Response Text(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response.With("Content-Type", "text/plain");
}

inline Response Echo(const Request& request) {
  return Text(200, request.method + " " + request.path + "?" + request.query + " [" + request.body +
                       "] from " + request.remote_address);
}

inline Response RefuseText(int status, std::string_view detail) {
  return Text(status, "refused: " + std::string(detail));
}

// The pool outlives the server.
struct TestServer {
  explicit TestServer(ServerOptions options = {}, Handler handler = Echo, FastPath fast = nullptr,
                      size_t threads = 2, size_t queue = 1000)
      : pool(std::make_unique<WorkerPool>(threads, queue)) {
    options.listen = "127.0.0.1:0";
    auto listening =
        Server::Listen(std::move(options), *pool, std::move(handler), RefuseText, std::move(fast));
    EXPECT_TRUE(listening.ok());
    server = *std::move(listening);
  }
  RawClient Connect() const { return RawClient(server->port()); }

  std::unique_ptr<WorkerPool> pool;
  std::unique_ptr<Server> server;
};

inline constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace agentca::acme::http::testing
