// Callers that wait at the same time share one costly step: a commit, a sync.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace agentca {

// There is no thread of its own. The first caller to find nobody at work leads: it settles all that
// waits in one call, hands the lead to the first of those that came meanwhile, and wakes its
// companions. A lone caller thus pays for no change of threads. Thread-safe.
//
//   Join ──► queue, settled by whoever leads
//   Await ──somebody leads──► wait ──settled──► done
//         └─nobody leads──► settle(batch) ──► hand the lead on ──► done
//
// A caller may join, do something else, and await later: whoever leads meanwhile takes its item
// along, but the lead is handed to those alone that await.
//
// Each caller sleeps on a lock of its own, which nobody holds when it wakes.
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
    Await(Join(item), settle);
  }

  struct Waiter;
  using Entry = std::shared_ptr<Waiter>;
  // `item` lives until Await, which must follow, returns.
  Entry Join(Item& item) {
    auto mine = std::make_shared<Waiter>(&item);
    const std::lock_guard lock(mutex_);
    queue_.push_back(mine);
    return mine;
  }
  template <typename Settle>
  void Await(const Entry& mine, const Settle& settle) {
    if (Board(*mine) || mine->Sleep() == Turn::kLead) Lead(*mine, settle);
  }

  // Items that wait for the next batch.
  size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  enum class Turn { kNone, kLead, kSettled };
  using Waiters = std::vector<Entry>;

 public:
  // Shared: whoever tells a waiter its turn may still be at it when the waiter has gone on.
  struct Waiter {
    explicit Waiter(Item* what) : item(what) {}

   private:
    friend class GroupCommit;
    Turn Sleep() {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return turn != Turn::kNone; });
      return turn;
    }
    void Tell(Turn what) {
      {
        const std::lock_guard lock(mutex);
        turn = what;
      }
      wake.notify_one();
    }

    Item* const item;
    bool taken = false;    // these two are guarded by the group's mutex_
    bool awaited = false;  // may be told to lead
    std::mutex mutex;      // guards turn
    std::condition_variable wake;
    Turn turn = Turn::kNone;
  };

 private:
  // True when the caller leads.
  bool Board(Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    waiter.awaited = true;
    if (waiter.taken || leading_) return false;
    return leading_ = true;
  }

  // Until the leader's own is settled: what does not await yet may stand before it.
  template <typename Settle>
  void Lead(const Waiter& mine, const Settle& settle) noexcept {
    for (bool done = false; !done;) {
      const Waiters batch = Take();
      std::vector<Item*> items;
      items.reserve(batch.size());
      for (const Entry& each : batch) items.push_back(each->item);
      settle(items);
      done = mine.taken;  // by none but the leader
      if (done) HandOn();
      for (const Entry& each : batch) {
        if (each.get() != &mine) each->Tell(Turn::kSettled);
      }
    }
  }

  Waiters Take() {
    const std::lock_guard lock(mutex_);
    const auto end =
        queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), max_batch_));
    Waiters batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    for (const Entry& each : batch) each->taken = true;
    return batch;
  }

  void HandOn() {
    Entry next;
    {
      const std::lock_guard lock(mutex_);
      const auto first = std::find_if(queue_.begin(), queue_.end(),
                                      [](const Entry& each) { return each->awaited; });
      leading_ = first != queue_.end();
      if (leading_) next = *first;
    }
    if (next != nullptr) next->Tell(Turn::kLead);
  }

  const size_t max_batch_;    // bounds how long the first of a batch waits for the last
  mutable std::mutex mutex_;  // guards queue_, leading_
  Waiters queue_;
  bool leading_ = false;
};

}  // namespace agentca
