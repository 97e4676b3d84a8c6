// Two nodes on one schema that want the same thing at once, and things that must not pass each other.
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "storage/postgres_database.h"
#include "storage/sql_certificates.h"
#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

constexpr int kNodes = 2;
constexpr int kThreads = 4;  // of each node

class PostgresRace : public Postgres {
 protected:
  void SetUp() override {
    Postgres::SetUp();
    if (!IsSkipped()) other_ = OpenNode();
  }
  // Each thread of each node at once: `act` is told its number and node.
  template <class Act>
  void Race(const Act& act) {
    std::atomic<int> waiting{kNodes * kThreads};
    std::vector<std::thread> threads;
    for (int i = 0; i < kNodes * kThreads; ++i) {
      threads.emplace_back([&, i] {
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        act(i, i % kNodes == 0 ? *node_ : *other_);
      });
    }
    for (std::thread& each : threads) each.join();
  }
  ca::Serial Issue(const ca::PublicKey& key) {
    ca::Ticket ticket = flows_.NewTicket("first", key);
    const ca::Serial serial = ticket.serial();
    EXPECT_TRUE(IsOk(node_->certificates().RecordIntent(ticket, flows_.now())));
    EXPECT_TRUE(IsOk(node_->certificates().RecordCertificate(
        flows_.issuer.issuer->Issue(std::move(ticket)).value(), flows_.issuer_id())));
    return serial;
  }

  std::unique_ptr<Backend> other_;
};

TEST_F(PostgresRace, OneOfManyFinalizesAnOrder) {
  const auto id = flows_.PlaceReady(*node_, flows_.Register(*node_).id).order.id;
  std::vector<ca::Ticket> tickets;
  for (int i = 0; i < kNodes * kThreads; ++i) tickets.push_back(flows_.NewTicket(id));
  std::atomic<int> won{0};
  Race([&](int i, Backend& at) {
    const Status begun =
        at.acme().BeginFinalize(id, tickets[static_cast<size_t>(i)], {}, flows_.now());
    won += begun.ok() ? 1 : 0;
    EXPECT_TRUE(begun.ok() || FailsWith(Code::kOrderNotReady, begun));
  });
  EXPECT_EQ(won, 1);
  int intents = 0;
  for (const auto& each : tickets)
    intents += node_->certificates().StatusOf(flows_.issuer_id(), each.serial()).ok() ? 1 : 0;
  EXPECT_EQ(intents, 1);
}

TEST_F(PostgresRace, AKeyHasOneAccount) {
  const acme::Account account = flows_.make.NewAccount();
  std::vector<acme::Account> asked(kNodes * kThreads, account);
  for (auto& each : asked) each.id = flows_.make.NewId();
  std::atomic<int> created{0};
  std::vector<std::string> ids(kNodes * kThreads);
  Race([&](int i, Backend& at) {
    const auto n = static_cast<size_t>(i);
    const auto made = at.acme().CreateAccount({asked[n]});
    ASSERT_TRUE(IsOk(made));
    created += made->created ? 1 : 0;
    ids[n] = made->account.id;
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1U);
}

TEST_F(PostgresRace, EvidenceIsUsedOnce) {
  const auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  const acme::Attestation attestation = flows_.make.NewAttestation(agent);
  const acme::Account account = flows_.Register(*node_);
  std::vector<acme::AuthorizationId> ids;
  for (int i = 0; i < kNodes * kThreads; ++i) {
    ids.push_back(flows_.Place(*node_, account.id).authorizations[0].id);
  }
  std::atomic<int> valid{0};
  Race([&](int i, Backend& at) {
    const auto& id = ids[static_cast<size_t>(i)];
    EXPECT_TRUE(IsOk(at.acme().BeginChallenge(id, acme::ChallengeType::kDns01, {}, flows_.now())));
    EXPECT_TRUE(IsOk(at.acme().FinishChallenge(id, acme::Proof{{}, attestation}, flows_.now())));
    const auto stored = at.acme().FindAuthorization(id).value();
    if (stored.attempt->state == acme::AttemptState::kValid) ++valid;
  });
  EXPECT_EQ(valid, 1);
}

// Nodes that admit one agent by one rule at once collide in three tables; every proof counts.
TEST_F(PostgresRace, AnAgentIsAdmittedOnceForEverybody) {
  EXPECT_TRUE(IsOk(node_->agents().PutSource(fakes::TokenSource(), fakes::ByAlice())));
  ca::Agent wanted = fakes::SomeAgent();
  wanted.admitted_by = "rule";
  wanted.evidence = {{"k8s", {{"sub", "*"}}}};
  const acme::Account account = flows_.Register(*node_);
  std::vector<acme::AuthorizationId> ids;
  std::vector<acme::Attestation> evidence;
  for (int i = 0; i < kNodes * kThreads; ++i) {
    ids.push_back(flows_.Place(*node_, account.id).authorizations[0].id);
    evidence.push_back(flows_.make.NewAttestation(wanted));
    evidence.back().admit = wanted;
  }
  std::atomic<int> valid{0};
  Race([&](int i, Backend& at) {
    const auto n = static_cast<size_t>(i);
    EXPECT_TRUE(
        IsOk(at.acme().BeginChallenge(ids[n], acme::ChallengeType::kDns01, {}, flows_.now())));
    EXPECT_TRUE(
        IsOk(at.acme().FinishChallenge(ids[n], acme::Proof{{}, evidence[n]}, flows_.now())));
    const auto stored = at.acme().FindAuthorization(ids[n]).value();
    if (stored.attempt->state == acme::AttemptState::kValid) ++valid;
  });
  EXPECT_EQ(valid, kNodes * kThreads);
  EXPECT_EQ(node_->agents().AgentHistory(wanted.id, 0, 100)->size(), 1U);
}

TEST_F(PostgresRace, RevocationsAreNumberedWithoutGapOrDuplicate) {
  constexpr size_t kEach = 6;
  std::vector<ca::Certificate> issued;
  for (size_t i = 0; i < kEach * kNodes * kThreads; ++i) issued.push_back(flows_.Intend(*node_));
  for (const auto& each : issued)
    EXPECT_TRUE(IsOk(node_->certificates().RecordCertificate(each, flows_.issuer_id())));
  Race([&](int i, Backend& at) {
    for (size_t n = 0; n < kEach; ++n) {
      const auto& serial = issued[static_cast<size_t>(i) * kEach + n].serial;
      EXPECT_TRUE(IsOk(at.certificates().Revoke(flows_.issuer_id(), serial,
                                                ca::Reason::kSuperseded, flows_.now())));
    }
  });
  const auto events = other_->certificates().RevocationsSince(0, 1000).value();
  ASSERT_EQ(events.size(), issued.size());
  std::set<Bytes> serials;
  for (size_t n = 0; n < events.size(); ++n) {
    EXPECT_EQ(events[n].sequence, static_cast<int64_t>(n) + 1);
    serials.insert(events[n].serial.bytes());
  }
  EXPECT_EQ(serials.size(), issued.size());
}

TEST_F(PostgresRace, CrlNumbersAreGivenOnce) {
  std::mutex mutex;
  std::set<uint64_t> numbers;
  Race([&](int, Backend& at) {
    for (int n = 0; n < 3; ++n) {
      const auto number = at.certificates().NextCrlNumber(flows_.issuer_id());
      ASSERT_TRUE(IsOk(number));
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(numbers.insert(*number).second);
    }
  });
  EXPECT_EQ(numbers.size(), 3U * kNodes * kThreads);
}

TEST_F(PostgresRace, OneOfTheRuleAndTheRemovalOfItsSourceStands) {
  for (int round = 0; round < 10; ++round) {
    const std::string name = "s" + std::to_string(round);
    EXPECT_TRUE(IsOk(node_->agents().PutSource(fakes::TokenSource(name), fakes::ByAlice())));
    ca::AdmissionRule rule = fakes::FleetRule("r" + std::to_string(round));
    rule.source = name;
    Status removed;
    Status put;
    std::thread remover([&] { removed = node_->agents().RemoveSource(name, fakes::ByAlice()); });
    put = other_->agents().PutRule(rule, fakes::ByAlice());
    remover.join();
    EXPECT_NE(removed.ok(), put.ok()) << round;
    EXPECT_TRUE(put.ok() || FailsWith(Code::kMalformed, put));
    EXPECT_TRUE(removed.ok() || FailsWith(Code::kConflict, removed));
  }
}

// An acknowledged revocation of a compromised key is not overtaken by an intent that looked before.
TEST_F(PostgresRace, TheRevocationOfAKeyWaitsForItsIntents) {
  const ca::PublicKey key = fakes::NewPublicKey();
  const ca::Serial serial = Issue(key);
  const ca::Ticket second = flows_.NewTicket("second", key);
  PostgresDatabase database(ParsePostgresUri(uri_)->conninfo, {});
  std::future<Status> revoked;
  const auto record = [&](Connection& connection) -> Status {
    AGENTCA_TRY(AddIntent(connection, second, "worker", flows_.now()));
    revoked = std::async(std::launch::async, [&] {
      return other_->certificates().Revoke(flows_.issuer_id(), serial, ca::Reason::kKeyCompromise,
                                           flows_.now());
    });
    EXPECT_TRUE(SomebodyWaits());
    return {};
  };
  EXPECT_TRUE(IsOk(database.Write(record, Isolation::kLocks)));
  EXPECT_TRUE(IsOk(revoked.get()));
  EXPECT_TRUE(FailsWith(Code::kBadPublicKey, node_->certificates().RecordIntent(
                                                 flows_.NewTicket("third", key), flows_.now())));
}

TEST_F(PostgresRace, AnIntentWaitsForTheRevocationOfItsKey) {
  const ca::PublicKey key = fakes::NewPublicKey();
  const ca::Serial serial = Issue(key);
  const ca::Ticket second = flows_.NewTicket("second", key);
  PostgresDatabase database(ParsePostgresUri(uri_)->conninfo, {});
  std::future<Status> recorded;
  const auto compromise = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const StatusRow row, LoadStatus(connection, flows_.issuer_id(), serial));
    AGENTCA_TRY(CompromiseKeyOf(connection, row.body));
    recorded = std::async(std::launch::async, [&] {
      return other_->certificates().RecordIntent(second, flows_.now());
    });
    EXPECT_TRUE(SomebodyWaits());
    return {};
  };
  EXPECT_TRUE(IsOk(database.Write(compromise)));
  EXPECT_TRUE(FailsWith(Code::kBadPublicKey, recorded.get()));
}

TEST_F(PostgresRace, TheDeactivationOfAnAccountWaitsForItsFinalize) {
  const acme::Account account = flows_.Register(*node_);
  const auto id = flows_.PlaceReady(*node_, account.id).order.id;
  const ca::Ticket ticket = flows_.NewTicket(id);
  const auto blocker = Connect();
  ASSERT_TRUE(IsOk(blocker->Begin(PostgresConnection::Kind::kReadCommitted)));
  ASSERT_TRUE(IsOk(blocker->Execute("LOCK TABLE certificate_body IN EXCLUSIVE MODE")));
  auto begun = std::async(std::launch::async, [&] {
    return node_->acme().BeginFinalize(id, ticket, {}, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto deactivated = std::async(
      std::launch::async, [&] { return other_->acme().DeactivateAccount(account.id); });
  EXPECT_TRUE(SomebodyWaits(2));
  blocker->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_TRUE(IsOk(deactivated.get()));
  EXPECT_TRUE(node_->acme().FindOrder(id)->order.finalizing);
}

TEST_F(PostgresRace, NoFinalizePassesTheSuspensionOfItsAgent) {
  const auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  const auto view = flows_.Place(*node_, flows_.Register(*node_).id);
  const auto& proven = view.authorizations[0].id;
  EXPECT_TRUE(
      IsOk(node_->acme().BeginChallenge(proven, acme::ChallengeType::kDns01, {}, flows_.now())));
  EXPECT_TRUE(IsOk(node_->acme().FinishChallenge(
      proven, acme::Proof{{}, flows_.make.NewAttestation(agent)}, flows_.now())));
  const ca::Ticket ticket = flows_.NewTicket(view.order.id);
  const acme::FinalizeGuard guard{.agent = agent.id,
                                  .agent_version = agent.version,
                                  .verified_after = flows_.now() - Seconds(600)};
  const auto blocker = Connect();
  ASSERT_TRUE(IsOk(blocker->Begin(PostgresConnection::Kind::kReadCommitted)));
  ASSERT_TRUE(IsOk(blocker->Execute("LOCK TABLE certificate_body IN EXCLUSIVE MODE")));
  auto begun = std::async(std::launch::async, [&] {
    return node_->acme().BeginFinalize(view.order.id, ticket, guard, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto suspended = std::async(std::launch::async, [&] {
    return other_->agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended, "why",
                                           fakes::ByAlice());
  });
  blocker->Rollback();
  EXPECT_TRUE(IsOk(suspended.get()));
  // Told of the suspension, one finds the intent, or there is none and never will be.
  const bool listed = IsOk(other_->certificates().StatusOf(flows_.issuer_id(), ticket.serial()));
  EXPECT_EQ(listed, begun.get().ok());
}

TEST_F(PostgresRace, ATransactionThatAlwaysCollidesEndsInTime) {
  PostgresOptions options;
  options.retrying = std::chrono::milliseconds(300);
  PostgresDatabase database(ParsePostgresUri(uri_)->conninfo, options);
  const auto began = std::chrono::steady_clock::now();
  int attempts = 0;
  const Status ended = database.Write([&](Connection& connection) -> Status {
    ++attempts;
    AGENTCA_TRY(Query(connection, "SELECT probes FROM health").Run());
    Execute("UPDATE health SET probes = probes + 1");
    return Query(connection, "UPDATE health SET probes = probes - 1").Run();
  });
  EXPECT_TRUE(FailsWith(Code::kUnavailable, ended));
  EXPECT_GT(attempts, 2);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST_F(PostgresRace, ADeadlockIsResolved) {
  Execute("CREATE TABLE pair (id BIGINT PRIMARY KEY, n BIGINT NOT NULL); "
          "INSERT INTO pair VALUES (1, 0), (2, 0)");
  std::atomic<int> holding{0};
  const auto touch = [&](int64_t first, int64_t second) {
    PostgresDatabase database(ParsePostgresUri(uri_)->conninfo, {});
    bool met = false;
    return database.Write([&](Connection& connection) -> Status {
      constexpr const char* kTouch = "UPDATE pair SET n = n + 1 WHERE id = ?";
      AGENTCA_TRY(Query(connection, kTouch, first).Run());
      if (!met) {
        met = true;
        ++holding;
        EXPECT_TRUE(fakes::Eventually([&] { return holding >= 2; }));
      }
      return Query(connection, kTouch, second).Run();
    });
  };
  auto one = std::async(std::launch::async, touch, 1, 2);
  const Status two = touch(2, 1);
  EXPECT_TRUE(IsOk(one.get()));
  EXPECT_TRUE(IsOk(two));
  const auto connection = Connect();
  Query row(*connection, "SELECT min(n) FROM pair");
  ASSERT_TRUE(row.Next().value());
  EXPECT_EQ(row.Int(0), 2);
}

}  // namespace
}  // namespace agentca::storage
