#include "acme/challenge/resolver.h"

// The functions that replace the deprecated ones of 1.28 do not exist in 1.18.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace agentca::acme {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kEdnsPayload = 1232;  // octets: never fragmented; larger answers come over TCP
constexpr int kTries = 3;

Error DnsError(const std::string& name, std::string_view kind, int status) {
  std::string cause;
  switch (status) {
    case ARES_ENODATA:
      cause = "the name has no such record";
      break;
    case ARES_ENOTFOUND:
      cause = "the name does not exist (NXDOMAIN)";
      break;
    case ARES_ESERVFAIL:
      cause = "the name server failed (SERVFAIL)";
      break;
    case ARES_EREFUSED:
      cause = "the name server refused the query";
      break;
    case ARES_ECANCELLED:
    case ARES_ETIMEOUT:
      cause = "no answer in time";
      break;
    default:
      cause = ares_strerror(status);
  }
  return Error{Code::kDns, "looking up " + std::string(kind) + " of " + name + ": " + cause};
}

// One channel a call: queries leave from a fresh port, and threads share nothing.
class Channel {
 public:
  static Result<std::unique_ptr<Channel>> Open(const ResolverOptions& options) {
    std::unique_ptr<Channel> channel(new Channel);
    AGENTCA_TRY(channel->Init(options));
    return channel;
  }
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ares_channel get() const { return channel_; }

  // Until `done` or the deadline; then what is still asked is cancelled, which sets `done`.
  void Run(const bool& done, milliseconds timeout) {
    const auto deadline = SteadyClock::now() + timeout;
    while (!done) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - SteadyClock::now());
      if (left.count() <= 0) return ares_cancel(channel_);
      Process(left);
    }
  }

 private:
  Channel() = default;

  Status Init(const ResolverOptions& options) {
    char lookups[] = "b";  // DNS only: never the hosts file
    ares_options set{};
    set.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
    set.ednspsz = kEdnsPayload;
    set.lookups = lookups;
    set.tries = kTries;
    set.ndots = 1;
    set.timeout = static_cast<int>(std::max<milliseconds::rep>(options.timeout.count() / 4, 50));
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS | ARES_OPT_TRIES |
               ARES_OPT_NDOTS | ARES_OPT_TIMEOUTMS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST;
    in_addr placeholder{};
    if (!options.server.empty()) {
      // One server has no other to fail over to: its SERVFAIL or REFUSED is the answer to report.
      set.flags |= ARES_FLAG_NOCHECKRESP;
      // With every setting given c-ares does not read /etc/resolv.conf; the real server follows.
      set.servers = &placeholder;
      set.nservers = 1;
      mask |= ARES_OPT_SERVERS;
    }
    int status = ares_init_options(&channel_, &set, mask);
    if (status == ARES_SUCCESS && !options.server.empty())
      status = ares_set_servers_ports_csv(channel_, options.server.c_str());
    if (status == ARES_SUCCESS) return {};
    return Error{Code::kDns, "DNS resolver " + options.server + ": " + ares_strerror(status)};
  }

  void Process(milliseconds limit) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int mask = ares_getsock(channel_, sockets.data(), ARES_GETSOCK_MAXNUM);
    std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
    nfds_t count = 0;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(mask, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(mask, i)) events |= POLLOUT;
      if (events != 0) polled[count++] = {sockets[static_cast<size_t>(i)], events, 0};
    }
    timeval most{static_cast<time_t>(limit.count() / 1000),
                 static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
    timeval next{};
    const timeval* wait = ares_timeout(channel_, &most, &next);
    const auto wait_ms = static_cast<int>(wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000);
    if (::poll(polled.data(), count, wait_ms) <= 0)
      return ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; i < count; ++i) {
      const short got = polled[i].revents;
      if (got == 0) continue;
      ares_process_fd(channel_, (got & ~POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD,
                      (got & POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD);
    }
  }

  ares_channel channel_ = nullptr;
};

struct AddressLookup {
  bool done = false;
  int status = ARES_ECANCELLED;
  std::vector<Bytes> v6, v4;

  static void Finish(void* self, int status, int, ares_addrinfo* info) {
    auto& lookup = *static_cast<AddressLookup*>(self);
    lookup.done = true;
    lookup.status = status;
    for (auto* node = info != nullptr ? info->nodes : nullptr; node != nullptr;
         node = node->ai_next)
      lookup.Add(*node->ai_addr);
    if (info != nullptr) ares_freeaddrinfo(info);
  }

  void Add(const sockaddr& address) {
    if (address.sa_family == AF_INET6) {
      const auto& octets = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr;
      v6.emplace_back(std::begin(octets), std::end(octets));
    } else if (address.sa_family == AF_INET) {
      Bytes octets(4);
      std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
      v4.push_back(std::move(octets));
    }
  }
};

struct TxtLookup {
  bool done = false;
  int status = ARES_ECANCELLED;
  std::vector<std::string> records;

  static void Finish(void* self, int status, int, unsigned char* answer, int length) {
    auto& lookup = *static_cast<TxtLookup*>(self);
    lookup.done = true;
    lookup.status = status;
    if (status != ARES_SUCCESS) return;
    ares_txt_ext* parsed = nullptr;
    lookup.status = ares_parse_txt_reply_ext(answer, length, &parsed);
    for (const auto* piece = parsed; piece != nullptr; piece = piece->next) {
      if (piece->record_start != 0 || lookup.records.empty()) lookup.records.emplace_back();
      lookup.records.back().append(reinterpret_cast<const char*>(piece->txt), piece->length);
    }
    ares_free_data(parsed);
  }
};

class CaresResolver final : public Resolver {
 public:
  explicit CaresResolver(ResolverOptions options) : options_(std::move(options)) {}
  ~CaresResolver() override { ares_library_cleanup(); }

  Result<std::vector<Bytes>> Addresses(const std::string& name) const override {
    AddressLookup lookup;  // outlives the channel, whose end calls Finish for what is still asked
    AGENTCA_ASSIGN(const auto channel, Channel::Open(options_));
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel->get(), name.c_str(), nullptr, &hints, AddressLookup::Finish, &lookup);
    channel->Run(lookup.done, options_.timeout);
    if (lookup.status != ARES_SUCCESS) return DnsError(name, "A and AAAA", lookup.status);
    auto addresses = std::move(lookup.v6);
    addresses.insert(addresses.end(), lookup.v4.begin(), lookup.v4.end());
    if (addresses.empty()) return DnsError(name, "A and AAAA", ARES_ENODATA);
    return addresses;
  }

  Result<std::vector<std::string>> Txt(const std::string& name) const override {
    TxtLookup lookup;  // outlives the channel
    AGENTCA_ASSIGN(const auto channel, Channel::Open(options_));
    constexpr int kClassInternet = 1;
    constexpr int kTypeTxt = 16;
    ares_query(channel->get(), name.c_str(), kClassInternet, kTypeTxt, TxtLookup::Finish, &lookup);
    channel->Run(lookup.done, options_.timeout);
    if (lookup.status == ARES_SUCCESS && lookup.records.empty()) lookup.status = ARES_ENODATA;
    if (lookup.status != ARES_SUCCESS) return DnsError(name, "TXT", lookup.status);
    return std::move(lookup.records);
  }

 private:
  const ResolverOptions options_;
};

}  // namespace

Result<std::unique_ptr<Resolver>> MakeCaresResolver(const ResolverOptions& options) {
  const int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status != ARES_SUCCESS)
    return Error{Code::kInternal, std::string("c-ares: ") + ares_strerror(status)};
  auto resolver = std::make_unique<CaresResolver>(options);
  // An unusable server address is the operator's mistake: say so at start, not at each lookup.
  if (auto trial = Channel::Open(options); !trial.ok())
    return Error{Code::kMalformed, trial.error().detail};
  return std::unique_ptr<Resolver>(std::move(resolver));
}

}  // namespace agentca::acme
