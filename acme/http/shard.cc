#include "acme/http/shard.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>

#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

using std::chrono::milliseconds;

constexpr size_t kScratch = 64 * 1024;
constexpr milliseconds kLingerDeadline{2'000};
constexpr int kExpiriesAtOnce = 32;  // before others get their turn

milliseconds TickFor(const Limits& limits) {
  const auto shortest =
      std::min({limits.request_deadline, limits.write_deadline, limits.idle_deadline});
  return std::clamp(shortest / 8, milliseconds{2}, milliseconds{100});
}

}  // namespace

Shard::Shard(std::shared_ptr<Edge> edge, size_t capacity)
    : edge_(std::move(edge)),
      capacity_(capacity),
      work_(io_.get_executor()),
      sweep_timer_(io_),
      tick_(TickFor(edge_->limits())),
      scratch_(kScratch) {
  const Limits& limits = edge_->limits();
  QueueOf(Deadline::kRequest).length = limits.request_deadline;
  QueueOf(Deadline::kWrite).length = limits.write_deadline;
  QueueOf(Deadline::kIdle).length = limits.idle_deadline;
  QueueOf(Deadline::kLinger).length = std::min(kLingerDeadline, limits.write_deadline);
}

void Shard::Start() {
  ScheduleSweep();
  thread_ = std::thread([this] {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {
        Log(Level::kError, "an I/O handler threw", {{"what", e.what()}});
      }
    }
  });
}

void Shard::Stop() {
  if (!thread_.joinable()) return;
  boost::asio::post(io_, [this] {
    stopping_ = true;
    CloseAll();
    sweep_timer_.cancel();
    work_.reset();  // run() ends when the handlers of the closed connections have run
  });
  thread_.join();
}

void Shard::Admit(int descriptor, Peer peer) {
  if (stopping_ || (connections() > capacity_ && !DropLongestWaiting())) {
    ::close(descriptor);
    return Forget();
  }
  boost::system::error_code ec;
  Socket socket(io_);
  const bool v6 = peer.address.find(':') != std::string::npos;
  socket.assign(v6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4(), descriptor, ec);
  if (ec) {
    ::close(descriptor);
    return Forget();
  }
  const auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(peer));
  all_.push_back(*connection);
  connection->Start();
}

bool Shard::DropLongestWaiting() {
  // Nobody waits for a request: then the client that has kept us sending longest goes.
  auto& sending = QueueOf(Deadline::kWrite).list;
  if (waiting_.empty() && sending.empty()) return false;
  (waiting_.empty() ? sending.front() : waiting_.front()).Abort();
  return true;
}

void Shard::MarkWaiting(Connection& connection) {
  connection.waiting_hook.unlink();
  waiting_.push_back(connection);
}

bool Shard::DropLongestArriving(const Connection& except) {
  if (large_.empty() || &large_.front() == &except) return false;
  large_.front().Abort();
  return true;
}

void Shard::Forget() {
  count_.fetch_sub(1, std::memory_order_relaxed);
  edge_->Closed();
}

void Shard::BeginDrain() {
  for (auto next = all_.begin(); next != all_.end();) (next++)->BeginDrain();
}

void Shard::CloseAll() {
  while (!all_.empty()) all_.front().Close();
}

void Shard::Arm(Connection& connection, Deadline kind) {
  Queue& queue = QueueOf(kind);
  connection.deadline_hook.unlink();
  connection.deadline = std::chrono::steady_clock::now() + queue.length;
  queue.list.push_back(connection);
}

void Shard::ScheduleSweep() {
  if (stopping_) return;
  sweep_timer_.expires_after(tick_);
  sweep_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) Sweep();
  });
}

void Shard::Sweep() {
  int budget = kExpiriesAtOnce;
  const Instant now = std::chrono::steady_clock::now();
  for (Queue& queue : queues_) {
    if (ExpireSome(queue, now, budget)) continue;
    boost::asio::post(io_, [this] { Sweep(); });
    return;
  }
  ScheduleSweep();
}

bool Shard::ExpireSome(Queue& queue, Instant now, int& budget) {
  while (!queue.list.empty() && queue.list.front().deadline <= now) {
    if (budget-- == 0) return false;
    queue.list.front().Expire();
  }
  return true;
}

}  // namespace agentca::acme::http
