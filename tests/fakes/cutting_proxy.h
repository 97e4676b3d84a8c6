// A TCP proxy before a PostgreSQL server that ends connections at a request of the test's choice.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace agentca::fakes {

// A client that waits for each answer, as libpq does, sends one request at a time. Thread-safe.
class CuttingProxy {
 public:
  enum class Cut {
    kBefore,    // the server never gets the request
    kSent,      // it does, and works on it while the client knows no more than before
    kAnswered,  // its answer is there and lost
  };

  explicit CuttingProxy(uint16_t server) : server_(server) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, raw, size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
        ::getsockname(listener_, raw, &size) != 0)
      throw std::runtime_error("no port for a proxy");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { Accept(); });
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy() {
    stopping_ = true;
    accepting_.join();
    ::close(listener_);
    for (std::thread& each : pumps_) each.join();
  }

  uint16_t port() const { return port_; }
  // The `request`th from now on, from 1, is the last of its connection. With `silent`, nobody gets a
  // connection after it until Restore.
  void Arm(int request, Cut how, bool silent = false) {
    const std::lock_guard lock(mutex_);
    how_ = how;
    silent_ = silent;
    left_ = request;
  }
  int requests() const { return requests_; }  // so far, on all connections together
  // Whether the cut was made.
  bool Restore() {
    const std::lock_guard lock(mutex_);
    refusing_ = false;
    const bool cut = left_ <= 0;
    left_ = INT_MAX;
    return cut;
  }

 private:
  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static bool Readable(int socket) {
    pollfd wait{socket, POLLIN, 0};
    return ::poll(&wait, 1, 20) > 0;
  }
  void Accept() {
    while (!stopping_) {
      if (!Readable(listener_)) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      if (refusing_) {
        ::close(client);
        continue;
      }
      pumps_.emplace_back([this, client] { Serve(client); });
    }
  }
  void Serve(int client) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_);
    const int on = 1;
    for (const int each : {client, server})
      ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      while (!stopping_ && Pump(client, server)) continue;
    }
    ::close(server);
    ::close(client);
  }
  // False: the connection is over.
  bool Pump(int client, int server) {
    pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(both, 2, 20) <= 0) return true;
    if (both[1].revents != 0 && !Forward(server, client)) return false;
    if (both[0].revents == 0) return true;
    char peek = 0;
    if (::recv(client, &peek, 1, MSG_PEEK) <= 0) return false;
    const auto cut = Count();
    if (!cut) return Forward(client, server);
    if (*cut != Cut::kBefore) (void)Forward(client, server);
    if (*cut == Cut::kAnswered) (void)::recv(server, &peek, 1, MSG_PEEK);
    return false;
  }
  std::optional<Cut> Count() {
    const std::lock_guard lock(mutex_);
    ++requests_;
    if (left_ == INT_MAX || left_ <= 0 || --left_ > 0) return std::nullopt;
    refusing_ = silent_;
    return how_;
  }
  static bool Forward(int from, int to) {
    char block[65536];
    const ssize_t got = ::recv(from, block, sizeof block, 0);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t now = ::send(to, block + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += now;
    }
    return got > 0;
  }

  const uint16_t server_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> refusing_{false};
  std::atomic<int> requests_{0};
  std::mutex mutex_;  // guards the next three
  Cut how_ = Cut::kBefore;
  bool silent_ = false;
  int left_ = INT_MAX;
  std::list<std::thread> pumps_;  // of the accepting thread until it has ended
  std::thread accepting_;
};

}  // namespace agentca::fakes
