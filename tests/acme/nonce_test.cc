#include "acme/nonce.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme {
namespace {

constexpr Time kNow{Seconds{1'800'000'000}};

TEST(LocalNonces, AreBase64UrlAndSpentOnce) {
  OpenSslRandom random;
  LocalNonces nonces(random);
  const std::string nonce = nonces.Issue(kNow);
  EXPECT_TRUE(FromBase64Url(nonce).ok());
  EXPECT_TRUE(nonces.Spend(nonce, kNow).ok());
  const Status again = nonces.Spend(nonce, kNow);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kBadNonce);
}

TEST(LocalNonces, AreRefusedWhenForgedForeignOrFromTheFuture) {
  OpenSslRandom random;
  LocalNonces nonces(random);
  LocalNonces others(random);
  const std::string nonce = nonces.Issue(kNow);
  EXPECT_FALSE(others.Spend(nonce, kNow).ok());
  for (size_t i = 0; i < nonce.size(); ++i) {
    std::string forged = nonce;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(nonces.Spend(forged, kNow).ok()) << i;
  }
  for (const char* text : {"", "A", "AAAA", "====", "\xff\xff"}) {
    EXPECT_FALSE(nonces.Spend(text, kNow).ok());
  }
  EXPECT_FALSE(nonces.Spend(nonce + "AAAA", kNow).ok());
  EXPECT_TRUE(nonces.Spend(nonce, kNow).ok());
}

TEST(LocalNonces, OutsideTheWindowAreRefusedAndTheirBitsServeSuccessors) {
  OpenSslRandom random;
  constexpr size_t kWindow = 128;
  LocalNonces nonces(random, kWindow);
  const std::string spent = nonces.Issue(kNow);
  const std::string unspent = nonces.Issue(kNow);
  ASSERT_TRUE(nonces.Spend(spent, kNow).ok());
  for (size_t i = 0; i < kWindow - 2; ++i) nonces.Issue(kNow);
  EXPECT_TRUE(nonces.Spend(unspent, kNow).ok());     // the oldest but one, still inside
  const std::string successor = nonces.Issue(kNow);  // takes the bit of `spent`
  EXPECT_FALSE(nonces.Spend(spent, kNow).ok());
  EXPECT_TRUE(nonces.Spend(successor, kNow).ok());
}

TEST(LocalNonces, OfParallelSpendersExactlyOneWins) {
  OpenSslRandom random;
  LocalNonces nonces(random);
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  std::vector<std::string> issued;
  for (int i = 0; i < kRounds; ++i) issued.push_back(nonces.Issue(kNow));
  std::vector<std::atomic<int>> wins(kRounds);
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      for (size_t i = 0; i < issued.size(); ++i) {
        if (nonces.Spend(issued[i], kNow).ok()) ++wins[i];
        nonces.Issue(kNow);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : wins) EXPECT_EQ(count, 1);
}

TEST(LocalNonces, AreAllDifferentAcrossThreads) {
  OpenSslRandom random;
  LocalNonces nonces(random);
  std::vector<std::vector<std::string>> issued(4);
  std::vector<std::thread> threads;
  for (auto& mine : issued) {
    threads.emplace_back([&nonces, &mine] {
      for (int i = 0; i < 1000; ++i) mine.push_back(nonces.Issue(kNow));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : issued) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000U);
}

}  // namespace
}  // namespace agentca::acme
