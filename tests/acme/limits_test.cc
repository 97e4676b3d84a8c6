// Rate limits, the account cache, the task queue, problems: the small parts of the service.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "acme/accounts.h"
#include "acme/problem.h"
#include "acme/rate_limit.h"
#include "acme/task_queue.h"
#include "storage/memory.h"
#include "tests/fakes/acme_objects.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/faulty_store.h"

namespace agentca::acme {
namespace {

using namespace std::chrono_literals;

TEST(RateLimit, AllowsABurstThenSaysHowLongToWait) {
  RateLimit limit(2);
  const Time now = fakes::ManualClock().Now();
  EXPECT_FALSE(limit.Spend("a", now));
  EXPECT_FALSE(limit.Spend("a", now));
  const auto wait = limit.Spend("a", now);
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(*wait, Seconds(1800));
  EXPECT_FALSE(limit.Spend("b", now));
  EXPECT_TRUE(limit.Spend("a", now + *wait - 1s).has_value());
  EXPECT_FALSE(limit.Spend("a", now + *wait));
}

TEST(RateLimit, ZeroIsUnlimitedAndMemoryIsBounded) {
  const Time now = fakes::ManualClock().Now();
  RateLimit unlimited(0);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(unlimited.Spend("a", now));
  RateLimit small(1, 2);
  EXPECT_FALSE(small.Spend("a", now));
  EXPECT_FALSE(small.Spend("b", now));
  EXPECT_FALSE(small.Spend("c", now));  // "a" is forgotten
  EXPECT_TRUE(small.Spend("b", now).has_value());
  EXPECT_FALSE(small.Spend("a", now));
}

TEST(RateLimit, AClockThatRunsBackwardsGivesNothingAway) {
  RateLimit limit(1);
  const Time now = fakes::ManualClock().Now();
  EXPECT_FALSE(limit.Spend("a", now));
  EXPECT_TRUE(limit.Spend("a", now - 7200s).has_value());
}

TEST(RateLimit, CountsAnIpv6SubscriberAsOne) {
  EXPECT_EQ(RateLimitKeyOf("2001:db8:1:2::1"), RateLimitKeyOf("2001:db8:1:2:ffff::9"));
  EXPECT_NE(RateLimitKeyOf("2001:db8:1:2::1"), RateLimitKeyOf("2001:db8:1:3::1"));
  EXPECT_NE(RateLimitKeyOf("192.0.2.1"), RateLimitKeyOf("192.0.2.2"));
}

class AccountCache : public ::testing::Test {
 protected:
  AccountCache() { EXPECT_TRUE(backend_->acme().CreateAccount({account_}).ok()); }
  int reads() const { return faults_.CallsOf("FindAccount"); }

  std::unique_ptr<storage::Backend> backend_ = storage::MakeMemoryBackend();
  fakes::FaultPlan faults_;
  fakes::FaultyStore store_{backend_->acme(), faults_};
  Accounts accounts_{store_, 2};
  fakes::AcmeObjects objects_;
  const Account account_ = objects_.NewAccount();
  const Time now_ = objects_.now();
};

TEST_F(AccountCache, ReadsTheRowAgainAfterItsValidity) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(accounts_.Find(account_.id, now_).ok());
  EXPECT_EQ(reads(), 1);
  EXPECT_TRUE(accounts_.Find(account_.id, now_ + Accounts::kValidity + 1s).ok());
  EXPECT_EQ(reads(), 2);
  EXPECT_TRUE(accounts_.Find(account_.id, now_ - 5s).ok());  // a clock set back
  EXPECT_EQ(reads(), 3);
}

TEST_F(AccountCache, SeesAChangeByThisProcessAtOnce) {
  EXPECT_EQ((*accounts_.Find(account_.id, now_))->status, AccountStatus::kValid);
  ASSERT_TRUE(store_.DeactivateAccount(account_.id).ok());
  accounts_.Forget(account_.id);
  EXPECT_EQ((*accounts_.Find(account_.id, now_))->status, AccountStatus::kDeactivated);
}

TEST_F(AccountCache, KeepsNoFailure) {
  EXPECT_EQ(accounts_.Find("none", now_).error().code, Code::kNotFound);
  faults_.Fail("FindAccount", fakes::FailWhen::kBefore);
  EXPECT_EQ(accounts_.Find(account_.id, now_).error().code, Code::kUnavailable);
  EXPECT_TRUE(accounts_.Find(account_.id, now_).ok());
}

TEST_F(AccountCache, IsBounded) {
  std::vector<AccountId> ids{account_.id};
  for (int i = 0; i < 2; ++i) {
    const Account another = objects_.NewAccount();
    ASSERT_TRUE(store_.CreateAccount({another}).ok());
    ids.push_back(another.id);
  }
  for (const AccountId& id : ids) EXPECT_TRUE(accounts_.Find(id, now_).ok());
  EXPECT_TRUE(accounts_.Find(ids[2], now_).ok());
  EXPECT_EQ(reads(), 3);
  EXPECT_TRUE(accounts_.Find(ids[0], now_).ok());  // had made room
  EXPECT_EQ(reads(), 4);
}

TEST(TaskQueue, WaitingWorkOccupiesNoThread) {
  std::atomic<int> done{0};
  TaskQueue tasks(1);
  for (int i = 0; i < 100; ++i) tasks.RunAfter(1h, [] { FAIL() << "not within this test"; });
  tasks.RunAfter(1ms, [&] { ++done; });
  tasks.Run([&] { ++done; });
  EXPECT_TRUE(fakes::Eventually([&] { return done == 2; }));
}

TEST(TaskQueue, RunsWhatIsDueFirstFirst) {
  std::mutex mutex;
  std::vector<int> order;
  const auto note = [&](int i) {
    return [&, i] {
      const std::lock_guard lock(mutex);
      order.push_back(i);
    };
  };
  TaskQueue tasks(1);
  tasks.RunAfter(120ms, note(2));
  tasks.RunAfter(20ms, note(1));
  EXPECT_TRUE(fakes::Eventually([&] {
    const std::lock_guard lock(mutex);
    return order.size() == 2;
  }));
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(TaskQueue, SlowWorkOfOneLaneLeavesThreadsToOthers) {
  std::promise<void> gate;
  const std::shared_future<void> open(gate.get_future());
  std::atomic<int> slow{0}, honest{0};
  TaskQueue tasks(4, 2);
  for (int i = 0; i < 50; ++i) tasks.Run([&] { open.wait(), ++slow; }, "slow");
  for (int i = 0; i < 20; ++i) tasks.Run([&] { ++honest; }, "honest");
  EXPECT_TRUE(fakes::Eventually([&] { return honest == 20; }));
  EXPECT_EQ(slow, 0);
  gate.set_value();
  EXPECT_TRUE(fakes::Eventually([&] { return slow == 50; }));
}

TEST(TaskQueue, LanesTakeTurns) {
  std::promise<void> gate;
  const std::shared_future<void> open(gate.get_future());
  std::mutex mutex;
  std::string order;
  TaskQueue tasks(1, 1);
  tasks.Run([&] { open.wait(); });
  for (const std::string lane : {"a", "b"})
    for (int i = 0; i < 3; ++i)
      tasks.Run(
          [&, lane] {
            const std::lock_guard lock(mutex);
            order += lane;
          },
          lane);
  gate.set_value();
  EXPECT_TRUE(fakes::Eventually([&] {
    const std::lock_guard lock(mutex);
    return order.size() == 6;
  }));
  EXPECT_EQ(order, "ababab");
}

TEST(Problems, UseOnlyTheRegisteredNamespaceAndHaveAStatus) {
  for (int i = 0; i < kCodeCount; ++i) {
    const auto& kind = KindOf(static_cast<Code>(i));
    EXPECT_FALSE(kind.type.empty());
    EXPECT_GE(kind.status, 400);
    const auto json = JsonDocument::Parse(ProblemJson({kind.code, "why"}));
    ASSERT_TRUE(json.ok());
    EXPECT_TRUE(json->root().String("type")->starts_with("urn:ietf:params:acme:error:"));
    EXPECT_EQ(json->root().OptionalInt("status").value(), kind.status);
  }
}

TEST(Problems, NeverShowInternalDetailButAnIncidentNumber) {
  OpenSslRandom random;
  const Error error = Disclose({Code::kInternal, "sqlite: /var/lib secret"}, random);
  const std::string json = ProblemJson(error);
  EXPECT_EQ(json.find("secret"), std::string::npos);
  EXPECT_NE(json.find("incident " + error.subject), std::string::npos);
  EXPECT_EQ(ProblemJson({Code::kInternal, "secret"}).find("secret"), std::string::npos);
  const Error away = Disclose({Code::kUnavailable, "secret host"}, random);
  EXPECT_EQ(ProblemJson(away).find("secret"), std::string::npos);
}

TEST(Problems, OfSeveralIdentifiersHaveSubproblemsAndNoIdentifierOnTop) {
  const Error compound{Code::kCompound,
                       "several",
                       "dns:not.shown",
                       {{Code::kDns, "one", "dns:a.test"}, {Code::kTls, "two", "ip:::1"}}};
  const auto json = JsonDocument::Parse(ProblemJson(compound));
  ASSERT_TRUE(json.ok());
  EXPECT_FALSE(json->root().Find("identifier").has_value());
  const auto causes = json->root().Find("subproblems")->elements();
  ASSERT_EQ(causes.size(), 2U);
  EXPECT_EQ(causes[1].Find("identifier")->String("value").value(), "::1");
}

}  // namespace
}  // namespace agentca::acme
