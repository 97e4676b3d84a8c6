#include "acme/http/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

using boost::asio::ip::tcp;

constexpr int kBacklog = 4096;
constexpr int kAcceptsAtOnce = 64;  // before others get their turn
constexpr std::chrono::milliseconds kPause{20};
constexpr std::chrono::seconds kBetweenComplaints{10};

Result<tcp::endpoint> ParseEndpoint(std::string_view text) {
  const Error bad{Code::kMalformed, "not ADDR:PORT or [V6]:PORT: " + std::string(text)};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  uint16_t port = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (ec != std::errc{} || end != digits.data() + digits.size()) return bad;
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(std::string(host), failed);
  if (failed || address.is_v6() != bracketed) return bad;
  return tcp::endpoint(address, port);
}

Bytes OctetsOf(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    Bytes octets(sizeof v4.sin_addr);
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return octets;
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, &storage, sizeof v6);
  Bytes octets(sizeof v6.sin6_addr);
  std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
  return octets;
}

}  // namespace

Listener::Listener(std::shared_ptr<Edge> edge, std::vector<std::shared_ptr<Shard>> shards)
    : edge_(std::move(edge)),
      shards_(std::move(shards)),
      acceptor_(shards_.front()->io()),
      pause_(shards_.front()->io()) {}

Result<std::unique_ptr<Listener>> Listener::Open(std::string_view address,
                                                 std::shared_ptr<Edge> edge,
                                                 std::vector<std::shared_ptr<Shard>> shards) {
  AGENTCA_ASSIGN(const auto endpoint, ParseEndpoint(address));
  std::unique_ptr<Listener> listener(new Listener(std::move(edge), std::move(shards)));
  AGENTCA_TRY(listener->Bind(endpoint));
  return listener;
}

// SO_REUSEADDR lets a restart bind while old connections linger. Never SO_REUSEPORT: it would let a
// second process take a part of our connections.
Status Listener::Bind(const tcp::endpoint& endpoint) {
  boost::system::error_code ec;
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(boost::asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(kBacklog, ec);
  if (!ec) acceptor_.native_non_blocking(true, ec);
  tcp::endpoint bound;
  if (!ec) bound = acceptor_.local_endpoint(ec);
  if (ec) {
    return Error{Code::kUnavailable, "cannot listen on " + endpoint.address().to_string() +
                                         " port " + std::to_string(endpoint.port()) + ": " +
                                         ec.message()};
  }
  port_ = bound.port();
  return {};
}

void Listener::Run() { Await(); }

void Listener::Await() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& ec) {
    if (ec || !acceptor_.is_open()) return;
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      const Accepted accepted = AcceptOne();
      if (accepted == Accepted::kExhausted) return Pause();
      if (accepted == Accepted::kNone) break;
    }
    Await();
  });
}

Listener::Accepted Listener::AcceptOne() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  const int descriptor = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer),
                                   &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) {
    const int on = 1;
    (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const Bytes octets = OctetsOf(peer);
    Hand(descriptor, {NumericAddress(octets), AnyContains(edge_->balancers(), octets)});
    return Accepted::kOne;
  }
  switch (errno) {
    case EAGAIN:
      return Accepted::kNone;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Accepted::kExhausted;
    default:
      return Accepted::kOne;  // that connection failed (ECONNABORTED …); others may follow
  }
}

void Listener::Hand(int descriptor, Peer peer) {
  const auto& shard = *std::min_element(
      shards_.begin(), shards_.end(),
      [](const auto& a, const auto& b) { return a->connections() < b->connections(); });
  shard->Reserve();
  edge_->Opened();
  if (shard == shards_.front()) return shard->Admit(descriptor, std::move(peer));
  boost::asio::post(shard->io(), [shard, descriptor, peer = std::move(peer)]() mutable {
    shard->Admit(descriptor, std::move(peer));
  });
}

// Out of descriptors or memory: accept would fail at once again and again. Make room and wait.
void Listener::Pause() {
  const Instant now = std::chrono::steady_clock::now();
  if (now - last_complaint_ >= kBetweenComplaints) {
    last_complaint_ = now;
    Log(Level::kError, "cannot accept connections", {{"cause", std::strerror(errno)}});
  }
  for (const auto& shard : shards_)
    boost::asio::post(shard->io(), [shard] { (void)shard->DropLongestWaiting(); });
  pause_.expires_after(kPause);
  pause_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && acceptor_.is_open()) Await();
  });
}

void Listener::Close() {
  for (int i = 0; i < kBacklog && acceptor_.is_open(); ++i)
    if (AcceptOne() != Accepted::kOne) break;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace agentca::acme::http
