// This node's dealings with the store of spent nonces.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "acme/nonce_store.h"
#include "acme/task_queue.h"
#include "ca/base/group_commit.h"

namespace agentca::acme {

// Thread-safe. Spendings that come while one is under way share the next.
//
// A thread of its own looks at the store each `look_period`, unless somebody spent meanwhile, so
// that what is minted here is of the store's epoch; and it prunes when no node did so for
// kPrunePeriod. The horizon tells that, and pruning twice does no harm: there is no need of a
// lease.
class NonceLedger {
 public:
  // How long spent nonces are kept. No nonce may live longer than this less kHorizonSlack.
  static constexpr Seconds kKeep{3600 + kHorizonSlack.count()};
  static constexpr Seconds kPrunePeriod{60};

  // Fails when the store does not answer. It outlives the ledger.
  static Result<std::shared_ptr<NonceLedger>> Open(
      NonceStore& store, const Clock& clock,
      std::chrono::milliseconds look_period = std::chrono::milliseconds(1'000));

  NonceEpoch epoch() const { return epoch_.load(); }  // as last seen; waits for nobody
  // Whether the nonce of `epoch` may be used, which is so once. kUnavailable.
  Result<bool> Spend(const SpentNonce& nonce, NonceEpoch epoch);
  void Look();  // what the thread does
  // Spendings that wait for the one under way.
  size_t waiting() const { return group_.waiting(); }

 private:
  struct Waiting {
    const SpentNonce& nonce;
    Result<bool> first = false;
    NonceHorizon horizon{};
  };
  NonceLedger(NonceStore& store, const Clock& clock, std::chrono::milliseconds look_period);
  void LookLater();
  void Settle(const std::vector<Waiting*>& batch);
  Status SpendTogether(const std::vector<Waiting*>& batch);
  void Note(const NonceHorizon& horizon);
  void PruneIfDue();

  NonceStore& store_;
  const Clock& clock_;
  const std::chrono::milliseconds look_period_;
  GroupCommit<Waiting> group_;
  std::atomic<NonceEpoch> epoch_{0};
  std::atomic<Time> pruned_before_{Time{}};
  std::atomic<bool> fresh_{false};  // the two above, since the last look
  std::mutex pruning_;              // guards pruned_at_
  Seconds pruned_at_;               // by this node, by the clock's Uptime
  TaskQueue thread_{1};             // last: it uses the rest
};

Time MintedAt(const SpentNonce& nonce);

}  // namespace agentca::acme
