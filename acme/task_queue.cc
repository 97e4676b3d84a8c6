#include "acme/task_queue.h"

#include <algorithm>

namespace agentca::acme {
namespace {

constexpr auto kLater = [](const auto& a, const auto& b) { return a.due > b.due; };

}  // namespace

TaskQueue::TaskQueue(size_t threads) {
  workers_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  timekeeper_ = std::thread([this] { KeepTime(); });
}

TaskQueue::~TaskQueue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_changed_.notify_all();
  waiting_changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  timekeeper_.join();
}

void TaskQueue::Run(Task task) {
  {
    std::lock_guard lock(mutex_);
    ready_.push_back(std::move(task));
  }
  ready_changed_.notify_one();
}

void TaskQueue::RunAfter(std::chrono::milliseconds delay, Task task) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::chrono::steady_clock::now() + delay, std::move(task)});
    std::push_heap(waiting_.begin(), waiting_.end(), kLater);
  }
  waiting_changed_.notify_one();
}

void TaskQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ready_changed_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (stopping_) return;
    Task task = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes away outside the lock
    lock.lock();
  }
}

void TaskQueue::KeepTime() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      waiting_changed_.wait(lock);
      continue;
    }
    const SteadyTime due = waiting_.front().due;
    if (std::chrono::steady_clock::now() < due) {
      waiting_changed_.wait_until(lock, due);
      continue;
    }
    std::pop_heap(waiting_.begin(), waiting_.end(), kLater);
    ready_.push_back(std::move(waiting_.back().task));
    waiting_.pop_back();
    ready_changed_.notify_one();
  }
}

}  // namespace agentca::acme
