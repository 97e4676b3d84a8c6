// Those who end something are not kept waiting by those who go on with it, however many they are.
#include <atomic>
#include <future>
#include <thread>

#include "storage/postgres_database.h"
#include "storage/sql_certificates.h"
#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

constexpr const char* kNoBody = "LOCK TABLE certificate_body IN EXCLUSIVE MODE";

template <class Verb>
auto Beside(const Verb& verb) {
  return std::async(std::launch::async, verb);
}

class PostgresFairness : public Postgres {
 protected:
  void SetUp() override {
    Postgres::SetUp();
    if (!IsSkipped()) other_ = OpenNode();
  }
  acme::OrderId PlaceProven(const ca::Agent& agent) {
    const auto view = flows_.Place(*node_, flows_.Register(*node_).id);
    const auto& proven = view.authorizations[0].id;
    EXPECT_TRUE(
        IsOk(node_->acme().BeginChallenge(proven, acme::ChallengeType::kDns01, {}, flows_.now())));
    EXPECT_TRUE(IsOk(node_->acme().FinishChallenge(
        proven, acme::Proof{{}, flows_.make.NewAttestation(agent)}, flows_.now())));
    return view.order.id;
  }
  acme::FinalizeGuard GuardOf(const ca::Agent& agent) {
    return {.agent = agent.id,
            .agent_version = agent.version,
            .verified_after = flows_.now() - Seconds(600)};
  }

  std::unique_ptr<Backend> other_;
};

TEST_F(PostgresFairness, NobodyBeginsForAnAgentWhoseSuspensionWaits) {
  const auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  const auto first = PlaceProven(agent);
  const auto second = PlaceProven(agent);
  const ca::Ticket ticket = flows_.NewTicket(first);
  const auto obstacle = Obstruct(kNoBody);
  auto begun = Beside([&] {
    return node_->acme().BeginFinalize(first, ticket, GuardOf(agent), flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto suspended = Beside([&] {
    return other_->agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended, "why",
                                           fakes::ByAlice());
  });
  EXPECT_TRUE(SomebodyWaits(2));
  EXPECT_TRUE(FailsWith(Code::kUnauthorized,
                        node_->acme().BeginFinalize(second, flows_.NewTicket(second),
                                                    GuardOf(agent), flows_.now())));
  // Nor is one told of it while the first may come to pass, who finds it done.
  auto again = Beside([&] {
    return node_->agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended, "why",
                                          fakes::ByAlice());
  });
  EXPECT_TRUE(SomebodyWaits(3));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_TRUE(IsOk(suspended.get()));
  EXPECT_TRUE(IsOk(again.get()));
}

TEST_F(PostgresFairness, TheSuspensionOfAnAgentFindsTheCertificatesOrHindersThem) {
  const auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  std::vector<ca::Certificate> signed_ones;
  std::vector<acme::OrderId> orders;
  for (int i = 0; i < 2; ++i) {
    orders.push_back(PlaceProven(agent));
    ca::Ticket ticket = flows_.NewTicket(orders.back());
    EXPECT_TRUE(IsOk(
        node_->acme().BeginFinalize(orders.back(), ticket, GuardOf(agent), flows_.now())));
    signed_ones.push_back(flows_.issuer.issuer->Issue(std::move(ticket)).value());
  }
  const auto complete = [&](size_t n) {
    return node_->acme().CompleteOrder(orders[n], signed_ones[n], flows_.issuer_id(), agent.id);
  };
  const auto obstacle = Obstruct(kNoBody);
  auto completed = Beside([&] { return complete(0); });
  ASSERT_TRUE(SomebodyWaits());
  auto suspended = Beside([&] {
    return other_->agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended, "why",
                                           fakes::ByAlice());
  });
  EXPECT_TRUE(SomebodyWaits(2));
  EXPECT_TRUE(FailsWith(Code::kUnauthorized, complete(1)));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(suspended.get()));
  const auto state = [&](size_t n) {
    return other_->certificates().StatusOf(flows_.issuer_id(), signed_ones[n].serial)->state;
  };
  EXPECT_EQ(state(0), ca::SerialState::kIssued);  // already when one is told of the suspension
  EXPECT_EQ(state(1), ca::SerialState::kIntent);
  EXPECT_TRUE(IsOk(completed.get()));
}

TEST_F(PostgresFairness, AChangeOfAnAgentWaitsForWhatRestsOnTheFormer) {
  auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  const auto guard = GuardOf(agent);
  const auto first = PlaceProven(agent);
  const auto second = PlaceProven(agent);
  const ca::Ticket ticket = flows_.NewTicket(first);
  const auto obstacle = Obstruct(kNoBody);
  auto begun = Beside(
      [&] { return node_->acme().BeginFinalize(first, ticket, guard, flows_.now()); });
  ASSERT_TRUE(SomebodyWaits());
  agent.sponsor = "another team";
  auto changed = Beside([&] { return other_->agents().ChangeAgent(agent, fakes::ByAlice()); });
  EXPECT_TRUE(SomebodyWaits(2));
  EXPECT_TRUE(FailsWith(Code::kUnauthorized,
                        node_->acme().BeginFinalize(second, flows_.NewTicket(second), guard,
                                                    flows_.now())));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_TRUE(IsOk(changed.get()));
}

TEST_F(PostgresFairness, NobodyBeginsForAnAccountWhoseDeactivationWaits) {
  const acme::Account account = flows_.Register(*node_);
  const auto first = flows_.PlaceReady(*node_, account.id).order.id;
  const auto second = flows_.PlaceReady(*node_, account.id).order.id;
  const ca::Ticket ticket = flows_.NewTicket(first);
  const auto obstacle = Obstruct(kNoBody);
  auto begun = Beside([&] {
    return node_->acme().BeginFinalize(first, ticket, {}, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto contacts = other_->acme().UpdateContacts(account.id, {"mailto:other@example.test"});
  EXPECT_TRUE(IsOk(contacts));  // which is nobody's business
  auto deactivated = Beside([&] { return other_->acme().DeactivateAccount(account.id); });
  EXPECT_TRUE(SomebodyWaits(2));
  EXPECT_TRUE(FailsWith(Code::kAccountInactive,
                        node_->acme().BeginFinalize(second, flows_.NewTicket(second), {},
                                                    flows_.now())));
  auto again = Beside([&] { return node_->acme().DeactivateAccount(account.id); });
  EXPECT_TRUE(SomebodyWaits(3));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_TRUE(IsOk(deactivated.get()));
  EXPECT_TRUE(IsOk(again.get()));
}

TEST_F(PostgresFairness, NobodyPassesTheCompromiseOfAKeyThatWaits) {
  const ca::PublicKey key = fakes::NewPublicKey();
  ca::Ticket ticket = flows_.NewTicket("first", key);
  const ca::Serial serial = ticket.serial();
  EXPECT_TRUE(IsOk(node_->certificates().RecordIntent(ticket, flows_.now())));
  EXPECT_TRUE(IsOk(node_->certificates().RecordCertificate(
      flows_.issuer.issuer->Issue(std::move(ticket)).value(), flows_.issuer_id())));
  const ca::Ticket second = flows_.NewTicket("second", key);
  const ca::Ticket third = flows_.NewTicket("third", key);
  PostgresDatabase database(ParsePostgresUri(uri_)->conninfo, {});
  std::future<Status> revoked;
  std::future<Status> overtaking;
  const auto record = [&](Connection& connection) -> Status {
    AGENTCA_TRY(AddIntent(connection, second, "worker", flows_.now()));
    revoked = Beside([&] {
      return other_->certificates().Revoke(flows_.issuer_id(), serial, ca::Reason::kKeyCompromise,
                                           flows_.now());
    });
    EXPECT_TRUE(SomebodyWaits());
    overtaking = Beside([&] { return node_->certificates().RecordIntent(third, flows_.now()); });
    EXPECT_TRUE(SomebodyWaits(2));
    return {};
  };
  EXPECT_TRUE(IsOk(database.Write(record, Isolation::kLocks)));
  EXPECT_TRUE(IsOk(revoked.get()));
  EXPECT_TRUE(FailsWith(Code::kBadPublicKey, overtaking.get()));
}

// A fleet that comes up: each agent is another, and all have one history, which they share with those
// who govern them.
TEST_F(PostgresFairness, ManyAgentsAreAdmittedWhileOthersAreGoverned) {
  constexpr size_t kThreads = 40;  // of both nodes
  constexpr size_t kEach = 10;
  const auto other = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  const acme::Account account = flows_.Register(*node_);
  std::vector<acme::AuthorizationId> ids;
  std::vector<acme::Attestation> evidence;
  std::vector<acme::Grant> grants;
  const auto admitting = [&](const std::string& name) {
    ca::Agent wanted = fakes::SomeAgent("acme", name);
    wanted.admitted_by = "rule";
    acme::Attestation attestation = flows_.make.NewAttestation(wanted);
    attestation.admit = wanted;
    return attestation;
  };
  for (size_t i = 0; i < kThreads * kEach; ++i) {
    ids.push_back(flows_.Place(*node_, account.id).authorizations[0].id);
    evidence.push_back(admitting("bot" + std::to_string(i)));
    grants.push_back(flows_.make.NewGrant(other));
    grants.back().attestation = admitting("job" + std::to_string(i));
  }
  std::atomic<size_t> left{kThreads};
  std::vector<std::thread> threads;
  std::vector<Status> dropped(ids.size());
  std::vector<Status> granted(ids.size());
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Backend& at = t % 2 == 0 ? *node_ : *other_;
      for (size_t i = t; i < ids.size(); i += kThreads) {
        dropped[i] = at.acme().RecordDrop(ids[i], evidence[i], flows_.now());
        granted[i] = at.acme().RecordGrant(grants[i]);
      }
      --left;
    });
  }
  for (int i = 0; left > 0; ++i) {
    const auto status = i % 2 == 0 ? ca::AgentStatus::kSuspended : ca::AgentStatus::kActive;
    EXPECT_TRUE(IsOk(other_->agents().SetAgentStatus(other.id, status, "why", fakes::ByAlice())));
    ca::EvidenceSource source = fakes::TokenSource("s" + std::to_string(i / 3));
    if (i % 3 == 1) source.max_level = 1;
    EXPECT_TRUE(IsOk(i % 3 == 2 ? other_->agents().RemoveSource(source.name, fakes::ByAlice())
                                : other_->agents().PutSource(source, fakes::ByAlice())));
  }
  for (std::thread& each : threads) each.join();
  for (const Status& each : dropped) EXPECT_TRUE(IsOk(each));
  for (const Status& each : granted) EXPECT_TRUE(IsOk(each));
}

}  // namespace
}  // namespace agentca::storage
