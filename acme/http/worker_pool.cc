#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "acme/http/server.h"
#include "ca/base/log.h"

namespace agentca::acme::http {

class WorkerPool::State {
 public:
  State(size_t threads, size_t queue_limit) : queue_limit_(queue_limit) {
    for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i)
      threads_.emplace_back([this] { Run(); });
  }

  ~State() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  bool TrySubmit(std::function<void()> work) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || queue_.size() >= queue_limit_) return false;
      queue_.push_back(std::move(work));
    }
    wake_.notify_one();
    return true;
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Perform(work);
      work = nullptr;  // what it holds may take locks of its own when it goes
      lock.lock();
    }
  }

  static void Perform(const std::function<void()>& work) {
    try {
      work();
    } catch (const std::exception& e) {
      Log(Level::kError, "work on a pool thread threw", {{"what", e.what()}});
    } catch (...) {
      Log(Level::kError, "work on a pool thread threw", {{"what", "not a std::exception"}});
    }
  }

  const size_t queue_limit_;
  std::mutex mutex_;  // guards queue_, stopping_
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

WorkerPool::WorkerPool(size_t threads, size_t queue_limit)
    : state_(std::make_unique<State>(threads, queue_limit)) {}
WorkerPool::~WorkerPool() = default;
bool WorkerPool::TrySubmit(std::function<void()> work) {
  return state_->TrySubmit(std::move(work));
}

}  // namespace agentca::acme::http
