#include "acme/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <future>

#include "acme/http/listener.h"
#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

// Each connection is a descriptor; the soft limit is usually 1024.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    Log(Level::kWarning, "cannot raise the limit of open descriptors");
}

// Runs `work` on the shard's thread and waits for it.
void RunOn(Shard& shard, const std::function<void()>& work) {
  std::promise<void> done;
  boost::asio::post(shard.io(), [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace

class Server::State {
 public:
  static Result<std::shared_ptr<State>> Make(ServerOptions options, std::shared_ptr<Edge> edge) {
    auto state = std::make_shared<State>();
    state->edge_ = std::move(edge);
    const size_t threads = static_cast<size_t>(std::max(options.io_threads, 1));
    const size_t cap = std::max<size_t>(options.limits.max_connections, 1);
    for (size_t i = 0; i < std::min(threads, cap); ++i) {
      const size_t share = cap / threads + (i < cap % threads ? 1 : 0);
      state->shards_.push_back(std::make_shared<Shard>(state->edge_, share));
    }
    AGENTCA_ASSIGN(state->listener_, Listener::Open(options.listen, state->edge_, state->shards_));
    for (const auto& shard : state->shards_) shard->Start();
    RunOn(*state->shards_.front(), [&] { state->listener_->Run(); });
    return state;
  }

  ~State() {
    edge_->gate().Shut();
    if (listener_) Drain(std::chrono::milliseconds{0});
    edge_->gate().Close();
    for (const auto& shard : shards_) shard->Stop();
  }

  void Leave() { edge_->Leave(); }

  void Drain(std::chrono::milliseconds deadline) {
    edge_->BeginDrain();
    RunOn(*shards_.front(), [this] { listener_->Close(); });
    for (const auto& shard : shards_) RunOn(*shard, [&] { shard->BeginDrain(); });
    if (edge_->AwaitQuiet(deadline)) return;
    for (const auto& shard : shards_) RunOn(*shard, [&] { shard->CloseAll(); });
  }

  uint16_t port() const { return listener_->port(); }
  size_t connections() const { return edge_->connections(); }

 private:
  std::shared_ptr<Edge> edge_;
  std::vector<std::shared_ptr<Shard>> shards_;
  std::unique_ptr<Listener> listener_;
};

Result<std::unique_ptr<Server>> Server::Listen(ServerOptions options, WorkerPool& pool,
                                               Handler handler, Refusal refusal,
                                               FastPath fast_path) {
  if (options.clients && !options.tls)
    return Error{Code::kInternal, "network edge: client certificates need TLS"};
  RaiseDescriptorLimit();
  try {
    auto edge = std::make_shared<Edge>(options, pool, std::move(handler), std::move(refusal),
                                       std::move(fast_path));
    AGENTCA_ASSIGN(auto state, State::Make(std::move(options), std::move(edge)));
    return std::unique_ptr<Server>(new Server(std::move(state)));
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("network edge: ") + e.what()};
  }
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;
uint16_t Server::port() const { return state_->port(); }
void Server::Leave() { state_->Leave(); }
void Server::Drain(std::chrono::milliseconds deadline) { state_->Drain(deadline); }
size_t Server::connections() const { return state_->connections(); }

}  // namespace agentca::acme::http
