// Threads for work that may block, and a clock for work that must wait first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace agentca::acme {

// Thread-safe. Work that waits for its time occupies no thread. The destructor finishes the work
// under way and drops what has not begun. Work must not throw.
class TaskQueue {
 public:
  using Task = std::function<void()>;
  explicit TaskQueue(size_t threads);
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  void Run(Task task);  // as soon as a thread is free
  void RunAfter(std::chrono::milliseconds delay, Task task);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Waiting {
    SteadyTime due;
    Task task;
  };
  void Work();
  void KeepTime();

  std::mutex mutex_;  // guards ready_, waiting_, stopping_
  std::condition_variable ready_changed_, waiting_changed_;
  std::deque<Task> ready_;
  std::vector<Waiting> waiting_;  // heap, the earliest in front
  bool stopping_ = false;
  std::vector<std::thread> workers_;
  std::thread timekeeper_;
};

}  // namespace agentca::acme
