#include "acme/shared_nonces.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "acme/nonce_books.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/memory_nonces.h"

namespace agentca::acme {
namespace {

using std::chrono::hours;

constexpr hours kNever{1000};

// Two nodes with one store, whose ledgers look when they are told to.
class Shared : public testing::Test {
 protected:
  struct Node {
    explicit Node(Shared& all)
        : ledger(NonceLedger::Open(all.store_, all.clock_, kNever).value()),
          book(ledger, all.store_.SharedKey("a").value(), all.random_) {}
    std::shared_ptr<NonceLedger> ledger;
    SharedNonces book;
  };
  Time now() const { return clock_.Now(); }
  std::string Issue(Node& node) { return node.book.Issue(now()); }
  bool Spends(Node& node, const std::string& nonce) {
    const Status spent = node.book.Spend(nonce, now());
    if (spent.ok()) return true;
    EXPECT_EQ(spent.error().code, Code::kBadNonce) << spent.error().detail;
    return false;
  }

  fakes::ManualClock clock_;
  OpenSslRandom random_;
  fakes::MemoryNonces store_;
  Node here_{*this}, there_{*this};
};

TEST_F(Shared, AreSpentOnceAtWhicheverNode) {
  const std::string first = Issue(here_);
  const std::string second = Issue(here_);
  EXPECT_EQ(first.size(), 44U);
  EXPECT_TRUE(Spends(there_, first));
  EXPECT_FALSE(Spends(here_, first));
  EXPECT_FALSE(Spends(there_, first));
  EXPECT_TRUE(Spends(here_, second));
}

TEST_F(Shared, AreRefusedWithoutTheStoreWhenForged) {
  const std::string nonce = Issue(here_);
  for (size_t i = 0; i < nonce.size(); ++i) {
    std::string forged = nonce;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(Spends(here_, forged)) << i;
    EXPECT_FALSE(Spends(here_, nonce.substr(0, i))) << i;
  }
  for (const char* text : {"", "A", "AAAA", "====", "\xff\xff"}) EXPECT_FALSE(Spends(here_, text));
  EXPECT_FALSE(Spends(here_, nonce + "AAAA"));
  SharedNonces others(here_.ledger, store_.SharedKey("b").value(), random_);
  EXPECT_FALSE(Spends(here_, others.Issue(now())));
  OpenSslRandom random;
  EXPECT_FALSE(Spends(here_, LocalNonces(random).Issue(now())));
  EXPECT_EQ(store_.spendings(), 0U);
  EXPECT_TRUE(Spends(here_, nonce));
}

TEST_F(Shared, LiveForAnHourAndStandAClockFiveMinutesAhead) {
  const std::string old = Issue(here_);
  const std::string older = Issue(here_);
  clock_.Advance(SharedNonces::kLifetime);
  EXPECT_TRUE(Spends(there_, old));
  clock_.Advance(Seconds(1));
  EXPECT_FALSE(Spends(there_, older));
  const std::string ahead = here_.book.Issue(now() + SharedNonces::kMaxAhead);
  const std::string far_ahead = here_.book.Issue(now() + SharedNonces::kMaxAhead + Seconds(1));
  EXPECT_TRUE(Spends(there_, ahead));
  EXPECT_FALSE(Spends(there_, far_ahead));
  EXPECT_EQ(store_.spendings(), 2U);
}

TEST_F(Shared, OfAnEpochThatIsGoneAreRefusedAndTheNextOneIsGood) {
  const std::string spent = Issue(here_);
  const std::string unspent = Issue(here_);
  ASSERT_TRUE(Spends(here_, spent));
  store_.Crash();
  EXPECT_FALSE(Spends(here_, spent));  // the store has forgotten it
  EXPECT_FALSE(Spends(here_, unspent));
  const std::string fresh = Issue(here_);  // as in the answer that refused
  EXPECT_TRUE(Spends(there_, fresh));
}

TEST_F(Shared, OfANewEpochAreGoodAtANodeThatHasNotSeenIt) {
  store_.Crash();
  there_.ledger->Look();
  there_.ledger->Look();  // the first passes: it was opened a moment ago
  EXPECT_TRUE(Spends(here_, Issue(there_)));
  EXPECT_TRUE(Spends(there_, Issue(here_)));
}

TEST_F(Shared, ALookPassesWhenSomebodySpentMeanwhile) {
  here_.ledger->Look();
  const int looks = store_.faults().CallsOf("Horizon");
  EXPECT_TRUE(Spends(here_, Issue(here_)));
  here_.ledger->Look();
  EXPECT_EQ(store_.faults().CallsOf("Horizon"), looks);
  here_.ledger->Look();
  EXPECT_EQ(store_.faults().CallsOf("Horizon"), looks + 1);
}

TEST_F(Shared, TheLedgerLooksByItself) {
  const auto ledger = NonceLedger::Open(store_, clock_, std::chrono::milliseconds(1)).value();
  store_.Crash();
  const NonceEpoch epoch = store_.Horizon()->epoch;
  EXPECT_TRUE(fakes::Eventually([&] { return ledger->epoch() == epoch; }));
}

TEST_F(Shared, AStoreThatIsAwayIsNoFaultOfTheNonce) {
  const std::string nonce = Issue(here_);
  store_.faults().FailAll(Error{Code::kUnavailable, "away"});
  const Status spent = here_.book.Spend(nonce, now());
  ASSERT_FALSE(spent.ok());
  EXPECT_EQ(spent.error().code, Code::kUnavailable);
  here_.ledger->Look();
  const std::string meanwhile = Issue(here_);
  store_.faults().FailAll(std::nullopt);
  EXPECT_TRUE(Spends(here_, nonce));
  EXPECT_TRUE(Spends(there_, meanwhile));
}

TEST_F(Shared, ASpendingThatFailedButPersistedCannotBeRepeated) {
  const std::string nonce = Issue(here_);
  store_.faults().Fail("SpendNonces", fakes::FailWhen::kAfter);
  EXPECT_EQ(here_.book.Spend(nonce, now()).error().code, Code::kUnavailable);
  EXPECT_FALSE(Spends(here_, nonce));
}

TEST_F(Shared, BooksDoNotOpenWithoutTheStore) {
  for (const char* verb : {"Horizon", "SharedKey"}) {
    store_.faults().Fail(verb, fakes::FailWhen::kBefore);
    EXPECT_FALSE(SharedBooks(store_, clock_, random_).ok()) << verb;
  }
  EXPECT_TRUE(SharedBooks(store_, clock_, random_).ok());
}

TEST_F(Shared, OfParallelSpendersExactlyOneWins) {
  constexpr size_t kThreads = 8;
  constexpr size_t kRounds = 300;
  std::vector<std::string> issued;
  for (size_t i = 0; i < kRounds; ++i) issued.push_back(Issue(here_));
  std::vector<std::atomic<int>> wins(kRounds);
  std::barrier start(static_cast<std::ptrdiff_t>(kThreads));
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, &node = thread % 2 == 0 ? here_ : there_] {
      start.arrive_and_wait();
      for (size_t i = 0; i < kRounds; ++i) {
        if (Spends(node, issued[i])) ++wins[i];
        Issue(node);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : wins) EXPECT_EQ(count, 1);
}

TEST_F(Shared, SpendingsThatWaitShareTheNext) {
  std::promise<void> reached, go_on;
  store_.faults().Before("SpendNonces", [&] {
    reached.set_value();
    go_on.get_future().wait();
  });
  std::vector<std::thread> threads;
  std::atomic<int> wins{0};
  const auto spend = [&](const std::string& nonce) {
    if (Spends(here_, nonce)) ++wins;
  };
  threads.emplace_back(spend, Issue(here_));
  reached.get_future().wait();
  const std::string twice = Issue(here_);
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back(spend, twice);
    threads.emplace_back(spend, Issue(here_));
  }
  // All but the first are in the queue of the ledger.
  EXPECT_TRUE(fakes::Eventually([&] { return here_.ledger->waiting() == 4; }));
  go_on.set_value();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wins, 4);
  EXPECT_EQ(store_.spendings(), 2U);
}

TEST_F(Shared, WhatNoNodeAcceptsAnyMoreIsPruned) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Spends(here_, Issue(here_)));
  const std::string kept = Issue(here_);
  clock_.Advance(NonceLedger::kKeep);
  here_.ledger->Look();
  EXPECT_EQ(store_.size(), 3U);
  const std::string young = Issue(here_);
  EXPECT_TRUE(Spends(here_, young));
  clock_.Advance(NonceLedger::kPrunePeriod);
  here_.ledger->Look();
  EXPECT_EQ(store_.size(), 1U);
  EXPECT_FALSE(Spends(there_, kept));
  EXPECT_FALSE(Spends(there_, young));
  EXPECT_TRUE(Spends(there_, Issue(there_)));
  // The horizon tells the other node that somebody did it.
  const int prunes = store_.faults().CallsOf("PruneNonces");
  there_.ledger->Look();
  there_.ledger->Look();
  EXPECT_EQ(store_.faults().CallsOf("PruneNonces"), prunes);
}

// A clock that is wrong costs nonces their lives, but gives none a second one.
TEST_F(Shared, ANodeWithAClockFarAheadIsPutRight) {
  const std::string replayed = Issue(here_);
  ASSERT_TRUE(Spends(here_, replayed));
  fakes::ManualClock ahead(now() + hours(24 * 365));
  const auto wrong = NonceLedger::Open(store_, ahead, kNever).value();
  wrong->Look();
  ASSERT_EQ(store_.size(), 0U);
  EXPECT_FALSE(Spends(here_, replayed));
  EXPECT_FALSE(Spends(here_, Issue(here_)));
  here_.ledger->Look();  // it saw the horizon when it spent
  here_.ledger->Look();
  EXPECT_FALSE(Spends(here_, replayed));
  EXPECT_TRUE(Spends(there_, Issue(here_)));
  wrong->Look();
  wrong->Look();  // once in a period
  EXPECT_TRUE(Spends(there_, Issue(here_)));
}

}  // namespace
}  // namespace agentca::acme
