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

TEST(Nonces, AreBase64UrlAndSpentOnce) {
  OpenSslRandom random;
  Nonces nonces(random);
  const std::string nonce = nonces.Issue();
  EXPECT_TRUE(FromBase64Url(nonce).ok());
  EXPECT_TRUE(nonces.Spend(nonce).ok());
  const Status again = nonces.Spend(nonce);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kBadNonce);
}

TEST(Nonces, AreRefusedWhenForgedForeignOrFromTheFuture) {
  OpenSslRandom random;
  Nonces nonces(random);
  Nonces others(random);
  const std::string nonce = nonces.Issue();
  EXPECT_FALSE(others.Spend(nonce).ok());
  for (size_t i = 0; i < nonce.size(); ++i) {
    std::string forged = nonce;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(nonces.Spend(forged).ok()) << i;
  }
  for (const char* text : {"", "A", "AAAA", "====", "\xff\xff"}) {
    EXPECT_FALSE(nonces.Spend(text).ok());
  }
  EXPECT_FALSE(nonces.Spend(nonce + "AAAA").ok());
  EXPECT_TRUE(nonces.Spend(nonce).ok());
}

TEST(Nonces, OutsideTheWindowAreRefusedAndTheirBitsServeSuccessors) {
  OpenSslRandom random;
  constexpr size_t kWindow = 128;
  Nonces nonces(random, kWindow);
  const std::string spent = nonces.Issue();
  const std::string unspent = nonces.Issue();
  ASSERT_TRUE(nonces.Spend(spent).ok());
  for (size_t i = 0; i < kWindow - 2; ++i) nonces.Issue();
  EXPECT_TRUE(nonces.Spend(unspent).ok());       // the oldest but one, still inside
  const std::string successor = nonces.Issue();  // takes the bit of `spent`
  EXPECT_FALSE(nonces.Spend(spent).ok());
  EXPECT_TRUE(nonces.Spend(successor).ok());
}

TEST(Nonces, OfParallelSpendersExactlyOneWins) {
  OpenSslRandom random;
  Nonces nonces(random);
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  std::vector<std::string> issued;
  for (int i = 0; i < kRounds; ++i) issued.push_back(nonces.Issue());
  std::vector<std::atomic<int>> wins(kRounds);
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      for (size_t i = 0; i < issued.size(); ++i) {
        if (nonces.Spend(issued[i]).ok()) ++wins[i];
        nonces.Issue();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : wins) EXPECT_EQ(count, 1);
}

TEST(Nonces, AreAllDifferentAcrossThreads) {
  OpenSslRandom random;
  Nonces nonces(random);
  std::vector<std::vector<std::string>> issued(4);
  std::vector<std::thread> threads;
  for (auto& mine : issued) {
    threads.emplace_back([&nonces, &mine] {
      for (int i = 0; i < 1000; ++i) mine.push_back(nonces.Issue());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : issued) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000U);
}

}  // namespace
}  // namespace agentca::acme
