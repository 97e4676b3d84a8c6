// What an acme::NonceStore owes, whatever it is made of.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "acme/nonce_store.h"
#include "tests/contract/backends.h"

namespace agentca::contract {

// One store, and two nodes that have nothing else in common.
class SharedNonceStore {
 public:
  virtual ~SharedNonceStore() = default;
  virtual acme::NonceStore& node(size_t which) = 0;  // 0 or 1
  // The server dies as badly as it can (pg_ctl stop -m immediate) and is back; nodes reconnect.
  virtual void Crash() = 0;
};

struct NonceStoreKind {
  std::string name;
  std::function<std::unique_ptr<SharedNonceStore>()> make;
};

class NonceStoreContract : public testing::TestWithParam<NonceStoreKind> {
 protected:
  static constexpr Time kNow{Seconds{1'800'000'000}};
  static acme::SpentNonce Nonce(Time minted, uint8_t which) {
    acme::SpentNonce nonce{};
    auto seconds = static_cast<uint64_t>(minted.time_since_epoch().count());
    for (size_t i = acme::kMintedOctets; i-- > 0; seconds >>= 8) {
      nonce[i] = static_cast<uint8_t>(seconds);
    }
    nonce[acme::kMintedOctets] = 0xff;  // no text in any encoding
    nonce.back() = which;
    return nonce;
  }
  static acme::SpentNonce Nonce(uint8_t which) { return Nonce(kNow, which); }
  std::vector<bool> Spend(const std::vector<acme::SpentNonce>& batch, size_t which = 0) {
    const auto spending = node(which).SpendNonces(batch);
    EXPECT_OK(spending);
    return spending.ok() ? spending->first : std::vector<bool>();
  }
  acme::NonceHorizon Horizon(size_t which = 0) { return node(which).Horizon().value(); }
  size_t Prune(Time before, size_t limit = 1'000, size_t which = 0) {
    const auto pruned = node(which).PruneNonces(before, limit);
    EXPECT_OK(pruned);
    return pruned.ok() ? *pruned : 0;
  }
  acme::NonceStore& node(size_t which = 0) { return store_->node(which); }

  const std::unique_ptr<SharedNonceStore> store_ = GetParam().make();
};

using Firsts = std::vector<bool>;

TEST_P(NonceStoreContract, EachNonceIsFirstOnceAtWhicheverNode) {
  EXPECT_EQ(Spend({Nonce(1), Nonce(2)}), Firsts({true, true}));
  EXPECT_EQ(Spend({Nonce(2), Nonce(3)}, 1), Firsts({false, true}));
  EXPECT_EQ(Spend({Nonce(3), Nonce(1)}), Firsts({false, false}));
  EXPECT_EQ(Spend({}), Firsts());
}

TEST_P(NonceStoreContract, OfEqualsInOneBatchOneIsFirst) {
  EXPECT_EQ(Spend({Nonce(1), Nonce(1), Nonce(2), Nonce(1), Nonce(2)}),
            Firsts({true, false, true, false, false}));
}

TEST_P(NonceStoreContract, BatchesMayHaveAnySize) {
  uint8_t which = 0;
  for (const size_t size : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 130}) {
    std::vector<acme::SpentNonce> batch;
    for (size_t i = 0; i < size; ++i) {
      batch.push_back(Nonce(kNow + Seconds(static_cast<int64_t>(size)), which++));
    }
    EXPECT_EQ(Spend(batch), Firsts(size, true)) << size;
    EXPECT_EQ(Spend(batch, 1), Firsts(size, false)) << size;
  }
}

TEST_P(NonceStoreContract, OfConcurrentSpendersOneIsFirst) {
  constexpr size_t kThreads = 8;
  constexpr uint8_t kRounds = 40;
  std::vector<std::atomic<int>> firsts(kRounds);
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      start.arrive_and_wait();
      for (uint8_t i = 0; i + 1 < kRounds; i = static_cast<uint8_t>(i + 2)) {
        // Two at a time, in opposite orders: no order of locks is safe.
        std::vector<acme::SpentNonce> batch{Nonce(i), Nonce(static_cast<uint8_t>(i + 1))};
        if (thread % 2 != 0) std::swap(batch[0], batch[1]);
        const Firsts mine = Spend(batch, thread % 2);
        ASSERT_EQ(mine.size(), 2U);
        for (size_t k = 0; k < 2; ++k) {
          if (mine[k]) ++firsts[batch[k].back()];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : firsts) EXPECT_EQ(count, 1);
}

TEST_P(NonceStoreContract, AllSeeOneEpochWhichStaysWhileNothingHappens) {
  const acme::NonceEpoch epoch = Horizon().epoch;
  EXPECT_EQ(Horizon(1).epoch, epoch);
  const std::vector<acme::SpentNonce> batch{Nonce(1)};
  EXPECT_EQ(node(1).SpendNonces(batch)->horizon.epoch, epoch);
  EXPECT_EQ(node().SpendNonces(batch)->horizon.epoch, epoch);
  EXPECT_EQ(Horizon().epoch, epoch);
}

TEST_P(NonceStoreContract, WhatACrashForgetsIsOfAnotherEpoch) {
  const acme::NonceEpoch before = Horizon().epoch;
  const std::vector<acme::SpentNonce> batch{Nonce(1)};
  ASSERT_EQ(Spend(batch), Firsts({true}));
  const Bytes key = ToBytes(node().SharedKey("a")->view());
  store_->Crash();
  const auto again = node(1).SpendNonces(batch);
  ASSERT_OK(again);
  EXPECT_TRUE(!again->first[0] || again->horizon.epoch != before);
  EXPECT_EQ(Horizon().epoch, again->horizon.epoch);
  EXPECT_EQ(ToBytes(node().SharedKey("a")->view()), key);
}

TEST_P(NonceStoreContract, PruningForgetsTheOldestAndSaysSo) {
  const acme::NonceEpoch epoch = Horizon().epoch;
  ASSERT_EQ(Spend({Nonce(kNow, 1), Nonce(kNow - Seconds(1), 2), Nonce(kNow - Seconds(400), 3),
                   Nonce(kNow - Seconds(300), 4)}),
            Firsts(4, true));
  EXPECT_EQ(Prune(kNow, 1), 1U);
  EXPECT_EQ(Horizon(1).pruned_before, kNow);
  EXPECT_EQ(Spend({Nonce(kNow - Seconds(300), 4), Nonce(kNow - Seconds(400), 3)}, 1),
            Firsts({false, true}));
  EXPECT_EQ(Prune(kNow, 1'000, 1), 3U);
  EXPECT_EQ(Prune(kNow), 0U);
  EXPECT_EQ(Spend({Nonce(kNow, 1)}), Firsts({false}));
  const std::vector<acme::SpentNonce> old{Nonce(kNow - Seconds(1), 2)};
  const auto spending = node().SpendNonces(old);
  ASSERT_OK(spending);
  EXPECT_EQ(spending->horizon.pruned_before, kNow);
  EXPECT_EQ(spending->horizon.epoch, epoch);
}

TEST_P(NonceStoreContract, TheHorizonGoesBackWithANewEpochAlone) {
  const acme::NonceEpoch epoch = Horizon().epoch;
  Prune(kNow);
  Prune(kNow - acme::kHorizonSlack);
  EXPECT_EQ(Horizon().epoch, epoch);
  EXPECT_EQ(Horizon().pruned_before, kNow);
  const Time earlier = kNow - acme::kHorizonSlack - Seconds(1);
  Prune(earlier, 1'000, 1);
  EXPECT_NE(Horizon().epoch, epoch);
  EXPECT_EQ(Horizon().pruned_before, earlier);
}

TEST_P(NonceStoreContract, ConcurrentPrunersLeaveTheLatestHorizonSomeoneSet) {
  const acme::NonceEpoch epoch = Horizon().epoch;
  std::vector<std::thread> threads;
  for (size_t which = 0; which < 2; ++which) {
    threads.emplace_back([&, which] {
      Time last{};
      for (int i = 0; i < 20; ++i) {
        Prune(kNow + Seconds(2 * i + static_cast<int>(which)), 10, which);
        const Time seen = Horizon(which).pruned_before;
        EXPECT_GE(seen, last);
        last = seen;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Horizon().epoch, epoch);
}

TEST_P(NonceStoreContract, AKeyIsTheSameForAllAndAnotherForEachPurpose) {
  std::vector<Bytes> keys(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < keys.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto key = node(i % 2).SharedKey("a");
      ASSERT_OK(key);
      keys[i] = ToBytes(key->view());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Bytes& key : keys) EXPECT_EQ(key, keys.front());
  EXPECT_EQ(keys.front().size(), 32U);
  EXPECT_NE(ToBytes(node(1).SharedKey("b")->view()), keys.front());
}

}  // namespace agentca::contract
