// One I/O thread with the connections pinned to it: no strands, no locks between them.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "acme/http/connection.h"
#include "acme/http/edge.h"
#include "acme/http/response_head.h"

namespace agentca::acme::http {

class Shard : public std::enable_shared_from_this<Shard> {
 public:
  enum class Deadline { kRequest, kWrite, kIdle, kLinger };

  // `capacity`: this shard's part of Limits::max_connections.
  Shard(std::shared_ptr<Edge> edge, size_t capacity);

  void Start();  // runs the thread
  void Stop();   // closes all connections, joins; any thread but its own
  boost::asio::io_context& io() { return io_; }
  size_t connections() const { return count_.load(std::memory_order_relaxed); }
  void Reserve() { count_.fetch_add(1, std::memory_order_relaxed); }  // a place, before Admit

  // The rest runs on the shard's thread.
  void Admit(int descriptor, Peer peer);  // into a reserved place
  bool DropLongestWaiting();              // false: none waits
  void BeginDrain();
  void CloseAll();
  void Arm(Connection& connection, Deadline kind);  // replaces the one before
  static void Disarm(Connection& connection) { connection.deadline_hook.unlink(); }
  void MarkWaiting(Connection& connection);  // as the one that has waited least
  void MarkLarge(Connection& connection) { large_.push_back(connection); }
  // Of the marked. False: it is `except`, or there is none.
  bool DropLongestArriving(const Connection& except);
  void Forget();  // a connection closed
  Edge& edge() { return *edge_; }
  DateLine& date() { return date_; }
  std::span<char> scratch() { return scratch_; }

 private:
  template <Connection::Hook Connection::*Member>
  using List =
      boost::intrusive::list<Connection,
                             boost::intrusive::member_hook<Connection, Connection::Hook, Member>,
                             boost::intrusive::constant_time_size<false>>;
  using DeadlineList = List<&Connection::deadline_hook>;

  // All deadlines of one kind have the same length, so a list in order of arming is in order of
  // expiry, and a periodic look at its front replaces a timer per connection.
  struct Queue {
    std::chrono::milliseconds length;
    DeadlineList list;
  };
  Queue& QueueOf(Deadline kind) { return queues_[static_cast<size_t>(kind)]; }
  void ScheduleSweep();
  void Sweep();
  bool ExpireSome(Queue& queue, Instant now, int& budget);

  const std::shared_ptr<Edge> edge_;
  const size_t capacity_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      sweep_timer_;
  std::chrono::milliseconds tick_;
  bool stopping_ = false;
  std::array<Queue, 4> queues_;
  List<&Connection::all_hook> all_;
  List<&Connection::waiting_hook> waiting_;  // front: has waited longest to complete a request
  List<&Connection::large_hook> large_;      // unfinished requests in order of growing large
  std::atomic<size_t> count_{0};
  DateLine date_;
  std::vector<char> scratch_;
  std::thread thread_;
};

}  // namespace agentca::acme::http
