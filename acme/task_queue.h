// Threads for work that may block, and a clock for work that must wait first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace agentca::acme {

// Thread-safe. Work that waits for its time occupies no thread. The destructor finishes the work
// under way and drops what has not begun. Work must not throw.
//
// Work belongs to a lane. Lanes take turns, and no lane has more than its share of the threads, so
// that slow work of one delays only itself.
class TaskQueue {
 public:
  using Task = std::function<void()>;
  explicit TaskQueue(size_t threads) : TaskQueue(threads, threads) {}
  TaskQueue(size_t threads, size_t threads_per_lane);
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  void Run(Task task, const std::string& lane = {});  // as soon as a thread is free
  void RunAfter(std::chrono::milliseconds delay, Task task, const std::string& lane = {});

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Waiting {
    SteadyTime due;
    Task task;
    std::string lane;
  };
  struct Lane {
    std::deque<Task> ready;
    size_t running = 0;
    bool queued = false;  // in turns_
  };
  using Lanes = std::unordered_map<std::string, Lane>;
  void Work();
  void KeepTime();
  // With mutex_ held. True: a thread more may start work, so wake one.
  [[nodiscard]] bool Enqueue(Task task, const std::string& lane);
  [[nodiscard]] bool QueueTurn(Lanes::value_type& lane);

  const size_t threads_per_lane_;
  std::mutex mutex_;  // guards lanes_, turns_, waiting_, stopping_
  std::condition_variable ready_changed_, waiting_changed_;
  Lanes lanes_;                           // those with work, ready or running
  std::deque<Lanes::value_type*> turns_;  // those that may start work, each once
  std::vector<Waiting> waiting_;          // heap, the earliest in front
  bool stopping_ = false;
  std::vector<std::thread> workers_;
  std::thread timekeeper_;
};

}  // namespace agentca::acme
