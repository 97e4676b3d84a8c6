#include "acme/http/edge.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

constexpr std::chrono::seconds kBetweenComplaints{10};

Response BareError() {
  Response response;
  response.status = 500;
  return response;
}

template <class Call>
auto Guarded(Call call) noexcept -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& e) {
    Log(Level::kError, "a request handler threw", {{"what", e.what()}});
  } catch (...) {
    Log(Level::kError, "a request handler threw", {{"what", "not a std::exception"}});
  }
  return BareError();
}

}  // namespace

Edge::Edge(ServerOptions options, WorkerPool& pool, Handler handler, Refusal refusal,
           FastPath fast_path)
    : options_(std::move(options)),
      pool_(pool),
      handler_(std::move(handler)),
      refusal_(std::move(refusal)),
      fast_path_(std::move(fast_path)) {}

Response Edge::Handle(const Request& request) const {
  return Guarded([&] { return handler_(request); });
}

std::optional<Response> Edge::HandleFast(const Request& request) const {
  if (!fast_path_) return std::nullopt;
  return Guarded([&] { return fast_path_(request); });
}

Response Edge::Refuse(int status, std::string_view detail) const {
  Response response = Guarded([&] { return refusal_(status, detail); });
  if (status == 503 && std::none_of(response.headers.begin(), response.headers.end(),
                                    [](auto& h) { return EqualNames(h.first, "Retry-After"); }))
    response.With("Retry-After", "1");
  return response;
}

void Edge::Closed() {
  if (connections_.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  std::lock_guard lock(quiet_mutex_);
  quiet_.notify_all();
}

bool Edge::AwaitQuiet(std::chrono::milliseconds deadline) {
  std::unique_lock lock(quiet_mutex_);
  return quiet_.wait_for(lock, deadline, [this] { return connections() == 0; });
}

void Edge::LogLackOfHeader(std::string_view balancer, std::string_view cause) {
  size_t closed = 0;
  {
    std::lock_guard lock(lack_mutex_);
    ++lacking_;
    const auto now = std::chrono::steady_clock::now();
    if (lack_logged_ && now - *lack_logged_ < kBetweenComplaints) return;
    lack_logged_ = now;
    closed = std::exchange(lacking_, 0);
  }
  Log(Level::kWarning, "a balancer's connection has no PROXY header of use",
      {{"balancer", balancer}, {"cause", cause}, {"closed", std::to_string(closed)}});
}

}  // namespace agentca::acme::http
