#include "acme/task_queue.h"

#include <algorithm>

namespace agentca::acme {
namespace {

constexpr auto kLater = [](const auto& a, const auto& b) { return a.due > b.due; };

}  // namespace

TaskQueue::TaskQueue(size_t threads, size_t threads_per_lane)
    : threads_per_lane_(std::max<size_t>(1, threads_per_lane)) {
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

bool TaskQueue::QueueTurn(Lanes::value_type& lane) {
  Lane& state = lane.second;
  if (state.queued || state.ready.empty() || state.running >= threads_per_lane_) return false;
  state.queued = true;
  turns_.push_back(&lane);
  return true;
}

bool TaskQueue::Enqueue(Task task, const std::string& lane) {
  auto& entry = *lanes_.try_emplace(lane).first;
  entry.second.ready.push_back(std::move(task));
  return QueueTurn(entry);
}

// Who is woken wants the lock, so it is let go of first.
void TaskQueue::Run(Task task, const std::string& lane) {
  std::unique_lock lock(mutex_);
  const bool wake = Enqueue(std::move(task), lane);
  lock.unlock();
  if (wake) ready_changed_.notify_one();
}

void TaskQueue::RunAfter(std::chrono::milliseconds delay, Task task, const std::string& lane) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::chrono::steady_clock::now() + delay, std::move(task), lane});
    std::push_heap(waiting_.begin(), waiting_.end(), kLater);
  }
  waiting_changed_.notify_one();
}

void TaskQueue::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ready_changed_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    if (stopping_) return;
    Lanes::value_type& entry = *turns_.front();
    turns_.pop_front();
    Lane& lane = entry.second;
    lane.queued = false;
    Task task = std::move(lane.ready.front());
    lane.ready.pop_front();
    ++lane.running;
    const bool wake = QueueTurn(entry);
    lock.unlock();
    if (wake) ready_changed_.notify_one();
    task();
    task = nullptr;  // what it holds goes away outside the lock
    lock.lock();
    --lane.running;
    if (QueueTurn(entry)) ready_changed_.notify_one();
    if (lane.running == 0 && lane.ready.empty()) lanes_.erase(entry.first);
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
    Waiting next = std::move(waiting_.back());
    waiting_.pop_back();
    if (Enqueue(std::move(next.task), next.lane)) ready_changed_.notify_one();
  }
}

}  // namespace agentca::acme
