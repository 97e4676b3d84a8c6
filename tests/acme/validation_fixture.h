// Debian's pebble-challtestsrv as the counterpart of the validators, and small hostile servers.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "acme/challenge/challenges.h"

namespace agentca::acme::testing {

using namespace std::chrono_literals;

inline sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listening socket on a free loopback port.
class ListeningSocket {
 public:
  explicit ListeningSocket(int type = SOCK_STREAM)
      : descriptor_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    auto address = Loopback(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(::listen(descriptor_, 64), 0);
    }
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~ListeningSocket() { ::close(descriptor_); }
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  int descriptor() const { return descriptor_; }
  uint16_t port() const { return port_; }

 private:
  int descriptor_;
  uint16_t port_ = 0;
};

// Accepts connections one after another and gives each to `serve`, which owns nothing.
class SocketServer {
 public:
  using Serve = std::function<void(int descriptor)>;
  explicit SocketServer(Serve serve) : serve_(std::move(serve)), thread_([this] { Run(); }) {}
  ~SocketServer() {
    stopping_ = true;
    ::shutdown(socket_.descriptor(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port() const { return socket_.port(); }
  int connections() const { return connections_; }

 private:
  void Run() {
    while (!stopping_) {
      const int descriptor = ::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) continue;
      ++connections_;
      serve_(descriptor);
      ::close(descriptor);
    }
  }
  ListeningSocket socket_;
  Serve serve_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

inline bool SendAll(int descriptor, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t n = ::send(descriptor, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    octets.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

inline std::string ReadHead(int descriptor) {
  std::string head;
  char chunk[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(descriptor, chunk, sizeof chunk, 0);
    if (n <= 0) break;
    head.append(chunk, static_cast<size_t>(n));
  }
  return head;
}

// False when the peer went away while nothing was sent.
inline bool StaysFor(int descriptor, std::chrono::milliseconds time) {
  pollfd polled{descriptor, POLLIN | POLLRDHUP, 0};
  return ::poll(&polled, 1, static_cast<int>(time.count())) == 0;
}

// pebble-challtestsrv on free ports. DNS answers 127.0.0.1 for every A query and nothing for AAAA,
// unless told otherwise through its management interface.
class ChallengeServer {
 public:
  ChallengeServer() {
    {
      // Free now; nobody else takes them in the moment before the program binds them.
      const ListeningSocket dns, http, tls, management, https;
      dns_ = dns.port();
      http_ = http.port();
      tls_ = tls.port();
      management_ = management.port();
      https_ = https.port();
    }
    const auto on = [](uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
    std::vector<std::string> arguments = {
        "pebble-challtestsrv", "-dns01",       on(dns_),   "-http01",  on(http_),
        "-tlsalpn01",          on(tls_),       "-https01", on(https_), "-management",
        on(management_),       "-defaultIPv6", ""};
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(::posix_spawnp(&process_, argv[0], &actions, nullptr, argv.data(), environ), 0)
        << "pebble-challtestsrv is not installed";
    posix_spawn_file_actions_destroy(&actions);
    for (const uint16_t port : {management_, http_, tls_, dns_}) AwaitListening(port);
  }
  ~ChallengeServer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ChallengeServer(const ChallengeServer&) = delete;
  ChallengeServer& operator=(const ChallengeServer&) = delete;

  uint16_t dns() const { return dns_; }
  uint16_t http() const { return http_; }
  uint16_t tls() const { return tls_; }
  uint16_t https() const { return https_; }

  void Manage(const std::string& path, const std::string& json) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = Loopback(management_);
    ASSERT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    SendAll(descriptor, "POST " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                            "Content-Length: " + std::to_string(json.size()) + "\r\n\r\n" + json);
    const std::string head = ReadHead(descriptor);
    ::close(descriptor);
    ASSERT_EQ(head.substr(9, 3), "200") << path << " " << json << " " << head;
  }

 private:
  static void AwaitListening(uint16_t port) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    const auto address = Loopback(port);
    for (;;) {
      const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const bool listening =
          ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(descriptor);
      if (listening) return;
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  pid_t process_ = -1;
  uint16_t dns_ = 0, http_ = 0, tls_ = 0, https_ = 0, management_ = 0;
};

// Resolves what it was told, for tests that are not about DNS.
class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<Bytes> addresses) : addresses_(std::move(addresses)) {}
  Result<std::vector<Bytes>> Addresses(const std::string& name) const override {
    if (name == "denied.test") return std::vector<Bytes>{{169, 254, 169, 254}};
    if (addresses_.empty()) return Error{Code::kDns, "no address"};
    return addresses_;
  }
  Result<std::vector<std::string>> Txt(const std::string&) const override {
    return Error{Code::kDns, "no TXT"};
  }

 private:
  std::vector<Bytes> addresses_;
};

inline NetworkPolicy LoopbackAllowed() {
  return NetworkPolicy({*Cidr::Parse("127.0.0.0/8"), *Cidr::Parse("::1/128")},
                       NetworkPolicy::DefaultDeny());
}

inline Identifier Dns(std::string name) { return {Identifier::Type::kDns, std::move(name)}; }

inline constexpr std::string_view kToken = "dG9rZW4tdG9rZW4tdG9rZW4";
inline constexpr std::string_view kKeyAuthorization = "dG9rZW4tdG9rZW4tdG9rZW4.thumbprint";

inline Result<Proof> Verify(const Verifier& verifier, const Identifier& identifier,
                            std::string_view key_authorization = kKeyAuthorization) {
  return verifier.Verify({identifier, kToken, key_authorization, {}, Time{}});
}

inline std::unique_ptr<Resolver> ResolverAt(uint16_t port, std::chrono::milliseconds timeout = 5s) {
  auto made = MakeCaresResolver({"127.0.0.1:" + std::to_string(port), timeout});
  EXPECT_TRUE(made.ok());
  return *std::move(made);
}

}  // namespace agentca::acme::testing
