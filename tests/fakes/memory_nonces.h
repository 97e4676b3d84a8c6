// A store of spent nonces that several services of one test have in common, with faults.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "acme/nonce_store.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/fixed.h"

namespace agentca::fakes {

class MemoryNonces final : public acme::NonceStore {
 public:
  Result<acme::Spending> SpendNonces(std::span<const acme::SpentNonce> batch) override {
    return plan_.Run("SpendNonces", [&]() -> Result<acme::Spending> {
      const std::lock_guard lock(mutex_);
      ++spendings_;
      acme::Spending spending{horizon_, {}};
      for (const auto& each : batch) spending.first.push_back(spent_.insert(each).second);
      return spending;
    });
  }
  Result<acme::NonceHorizon> Horizon() override {
    return plan_.Run("Horizon", [&]() -> Result<acme::NonceHorizon> {
      const std::lock_guard lock(mutex_);
      return horizon_;
    });
  }
  Result<size_t> PruneNonces(Time minted_before, size_t limit) override {
    return plan_.Run("PruneNonces", [&]() -> Result<size_t> {
      const std::lock_guard lock(mutex_);
      const bool back = horizon_.pruned_before - minted_before > acme::kHorizonSlack;
      if (back) ++horizon_.epoch;
      if (back || minted_before > horizon_.pruned_before) horizon_.pruned_before = minted_before;
      size_t pruned = 0;
      while (pruned < limit && !spent_.empty() && MintedAt(*spent_.begin()) < minted_before) {
        spent_.erase(spent_.begin());
        ++pruned;
      }
      return pruned;
    });
  }
  Result<Secret> SharedKey(std::string_view purpose) override {
    return plan_.Run("SharedKey", [&]() -> Result<Secret> {
      const std::lock_guard lock(mutex_);
      Bytes& key = keys_[std::string(purpose)];
      if (key.empty()) {
        key.resize(32);
        random_.Fill(key);
      }
      return Secret(Bytes(key));
    });
  }

  // The server goes down without having written what it promised, and comes back.
  void Crash() {
    const std::lock_guard lock(mutex_);
    spent_.clear();
    horizon_ = {horizon_.epoch + 1, {}};
  }
  FaultPlan& faults() { return plan_; }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return spent_.size();
  }
  size_t spendings() const {  // that came to pass
    const std::lock_guard lock(mutex_);
    return spendings_;
  }

 private:
  static Time MintedAt(const acme::SpentNonce& nonce) {
    int64_t seconds = 0;
    for (size_t i = 0; i < acme::kMintedOctets; ++i) seconds = seconds << 8 | nonce[i];
    return Time(Seconds(seconds));
  }
  FaultPlan plan_;
  SeededRandom random_;
  mutable std::mutex mutex_;  // guards everything below
  std::set<acme::SpentNonce> spent_;
  size_t spendings_ = 0;
  acme::NonceHorizon horizon_{0xfffffffe, {}};
  std::map<std::string, Bytes> keys_;
};

}  // namespace agentca::fakes
