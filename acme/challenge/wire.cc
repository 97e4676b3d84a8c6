#include "acme/challenge/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "acme/http/socket_bio.h"

namespace agentca::acme {
namespace {

constexpr size_t kMaxExcerpt = 64;

Error ConnectionError(std::string_view what) { return Error{Code::kConnection, std::string(what)}; }

std::string ErrorText(int code) {
  switch (code) {
    case ECONNREFUSED:
      return "connection refused";
    case ETIMEDOUT:
      return "connection timed out";
    case ENETUNREACH:
      return "network unreachable";
    case EHOSTUNREACH:
      return "host unreachable";
    case ECONNRESET:
    case EPIPE:
      return "connection reset by peer";
    default:
      return "connection failed";
  }
}

std::string OpenSslReason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "the peer closed the connection";
}

socklen_t FillSocketAddress(ByteView address, uint16_t port, sockaddr_storage& storage) {
  if (address.size() == 4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.data(), 4);
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, address.data(), 16);
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

std::string Numeric(ByteView address) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return text;
}

Bytes ParseLiteral(const std::string& host) {
  Bytes octets(16);
  if (::inet_pton(AF_INET6, host.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  if (::inet_pton(AF_INET, host.c_str(), octets.data()) == 1) return octets;
  return {};
}

// The first permitted address of each family, in the order given.
Result<std::vector<Bytes>> Candidates(const NetworkPolicy& policy,
                                      const std::vector<Bytes>& addresses) {
  std::vector<Bytes> chosen;
  Status refused;
  for (const Bytes& address : addresses) {
    if (auto status = policy.Check(address); !status.ok()) {
      refused = std::move(status);
      continue;
    }
    if (std::none_of(chosen.begin(), chosen.end(),
                     [&](const Bytes& other) { return other.size() == address.size(); }))
      chosen.push_back(address);
  }
  if (chosen.empty() && !refused.ok()) return std::move(refused).error();
  return chosen;
}

}  // namespace

// A peer that took the connection and says nothing costs a thread until the deadline: unlike a
// refused connection it is not asked again.
Error Wire::Silence() const {
  if (!connected_) return ConnectionError("no answer in time");
  return Error{Code::kIncorrectResponse, "connected, but there was no answer in time"};
}

Wire::~Wire() { ::close(descriptor_); }

Result<std::unique_ptr<Wire>> Wire::Connect(ByteView address, uint16_t port, Deadline deadline) {
  sockaddr_storage peer{};
  const socklen_t length = FillSocketAddress(address, port, peer);
  const int descriptor =
      ::socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return ConnectionError("no socket is free");
  std::unique_ptr<Wire> wire(new Wire(descriptor));
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&peer), length) == 0) {
    wire->connected_ = true;
    return wire;
  }
  if (errno != EINPROGRESS) return ConnectionError(ErrorText(errno));
  AGENTCA_TRY(wire->Await(POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return ConnectionError(ErrorText(error));
  wire->connected_ = true;
  return wire;
}

Status Wire::Await(short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Silence();
    pollfd polled{descriptor_, events, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::min<int64_t>(left.count(), 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return ConnectionError("waiting failed");
  }
}

// After a TLS call that gave `result` ≤ 0: waits for what it wants, or says why it failed.
Status Wire::AwaitTls(int result, std::string_view doing, Deadline deadline) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Await(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return Await(POLLOUT, deadline);
    default:
      break;
  }
  return Error{Code::kTls, std::string(doing) + ": " + OpenSslReason()};
}

Status Wire::StartTls(SSL_CTX* context, const std::string& sni, Deadline deadline) {
  ssl_.reset(SSL_new(context));
  BIO* bio = http::NewSocketBio(descriptor_);
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    return Error{Code::kTls, "TLS cannot start"};
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  if (!sni.empty() && SSL_set_tlsext_host_name(ssl_.get(), sni.c_str()) != 1)
    return Error{Code::kTls, "the name does not fit server name indication"};
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return {};
    AGENTCA_TRY(AwaitTls(result, "TLS handshake", deadline));
  }
}

Status Wire::Write(ByteView octets, Deadline deadline) {
  while (!octets.empty()) {
    ERR_clear_error();
    const auto n = ssl_ ? static_cast<ssize_t>(
                              SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size())))
                        : ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n > 0) {
      octets = octets.subspan(static_cast<size_t>(n));
    } else if (ssl_) {
      AGENTCA_TRY(AwaitTls(static_cast<int>(n), "TLS", deadline));
    } else if (errno == EAGAIN) {
      AGENTCA_TRY(Await(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return ConnectionError(ErrorText(errno));
    }
  }
  return {};
}

Result<size_t> Wire::Read(std::span<char> into, Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    const auto n =
        ssl_
            ? static_cast<ssize_t>(SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())))
            : ::recv(descriptor_, into.data(), into.size(), 0);
    if (n > 0) return static_cast<size_t>(n);
    if (ssl_) {
      if (SSL_get_error(ssl_.get(), static_cast<int>(n)) == SSL_ERROR_ZERO_RETURN) return size_t{0};
      AGENTCA_TRY(AwaitTls(static_cast<int>(n), "TLS", deadline));
    } else if (n == 0) {
      return size_t{0};
    } else if (errno == EAGAIN) {
      AGENTCA_TRY(Await(POLLIN, deadline));
    } else if (errno != EINTR) {
      return ConnectionError(ErrorText(errno));
    }
  }
}

std::shared_ptr<SSL_CTX> MakeValidationTls() {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

Result<Dialed> Dial(const ValidationNetwork& network, const std::string& host, bool literal,
                    uint16_t port, Deadline deadline) {
  std::vector<Bytes> addresses;
  if (literal) {
    addresses.push_back(ParseLiteral(host));
    if (addresses.front().empty()) return ConnectionError(host + " is not an IP address");
  } else {
    AGENTCA_ASSIGN(addresses, network.resolver.Addresses(host));
  }
  AGENTCA_ASSIGN(const auto candidates, Candidates(network.policy, addresses));
  Error last = ConnectionError(host + " has no address");
  for (const Bytes& address : candidates) {
    const std::string where = Numeric(address);
    const auto limit =
        std::min(deadline, std::chrono::steady_clock::now() + network.limits.connect);
    auto wire = Wire::Connect(address, port, limit);
    if (wire.ok()) return Dialed{*std::move(wire), where};
    last = Error{Code::kConnection, "connecting to " + host + " (" + where + ") port " +
                                        std::to_string(port) + ": " + wire.error().detail};
  }
  return last;
}

std::string Excerpt(std::string_view text) {
  std::string out(text.substr(0, kMaxExcerpt));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

}  // namespace agentca::acme
