// Callers that wait at the same time share one costly step: a commit, a sync.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace agentca {

// There is no thread of its own. The first caller to find nobody at work leads: it settles all that
// waits in one call, hands the lead to the first of those that came meanwhile, and wakes its
// companions. A lone caller thus pays for no change of threads. Thread-safe.
//
//   Run ──► queue ──somebody leads──► wait ──settled──► done
//                 └─nobody leads──► settle(batch) ──► hand the lead on ──► done
//
// Each caller sleeps on a lock of its own, so that nobody wakes only to wait for the leader's.
template <typename Item>
class GroupCommit {
 public:
  explicit GroupCommit(size_t max_batch) : max_batch_(max_batch) {}
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Returns when `item` was part of a batch that `settle`, this caller's or another's, took care
  // of. `settle` is given a vector of Item* in the order of arrival; it never runs twice at a time,
  // and must do for the items of others what theirs would. When it throws, the process ends:
  // whoever waits would never know.
  template <typename Settle>
  void Run(Item& item, const Settle& settle) {
    Waiter mine{&item};
    if (Enter(mine) || mine.Await() == Turn::kLead) Lead(mine, settle);
  }

  // Callers that wait for the next batch.
  size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  enum class Turn { kNone, kLead, kSettled };
  struct Waiter {
    explicit Waiter(Item* what) : item(what) {}
    Turn Await() {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return turn != Turn::kNone; });
      return turn;
    }
    void Tell(Turn what) {
      const std::lock_guard lock(mutex);  // held while notifying: the waiter lives until it has it
      turn = what;
      wake.notify_one();
    }

    Item* const item;
    std::mutex mutex;  // guards turn
    std::condition_variable wake;
    Turn turn = Turn::kNone;
  };

  // True when the caller leads.
  bool Enter(Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(&waiter);
    if (leading_) return false;
    return leading_ = true;
  }

  template <typename Settle>
  void Lead(const Waiter& mine, const Settle& settle) noexcept {
    const std::vector<Waiter*> batch = Take();
    std::vector<Item*> items;
    items.reserve(batch.size());
    for (const Waiter* each : batch) items.push_back(each->item);
    settle(items);
    HandOn();
    for (Waiter* each : batch) {
      if (each != &mine) each->Tell(Turn::kSettled);
    }
  }

  // A leader is always the first in the queue.
  std::vector<Waiter*> Take() {
    const std::lock_guard lock(mutex_);
    const auto end =
        queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), max_batch_));
    std::vector<Waiter*> batch(queue_.begin(), end);
    queue_.erase(queue_.begin(), end);
    return batch;
  }

  void HandOn() {
    Waiter* next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      leading_ = !queue_.empty();
      if (leading_) next = queue_.front();
    }
    if (next != nullptr) next->Tell(Turn::kLead);
  }

  const size_t max_batch_;    // bounds how long the first of a batch waits for the last
  mutable std::mutex mutex_;  // guards queue_, leading_
  std::vector<Waiter*> queue_;
  bool leading_ = false;
};

}  // namespace agentca
