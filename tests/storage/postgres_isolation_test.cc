// Pairs of verbs of which one is in the middle while the other comes: what each may make of it.
#include <future>

#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

// Let a verb read and lock rows, but not write this.
constexpr const char* kNoBody = "LOCK TABLE certificate_body IN EXCLUSIVE MODE";
constexpr const char* kNoAuthorization = "LOCK TABLE acme_authorization IN SHARE MODE";
constexpr const char* kNoApproval = "LOCK TABLE acme_approval IN SHARE MODE";
constexpr const char* kNoEvent = "LOCK TABLE revocation_event IN SHARE MODE";

template <class Verb>
auto Beside(const Verb& verb) {
  return std::async(std::launch::async, verb);
}

class PostgresIsolation : public Postgres {
 protected:
  void SetUp() override {
    Postgres::SetUp();
    if (!IsSkipped()) other_ = OpenNode();
  }
  acme::OrderView PlaceReady() { return flows_.PlaceReady(*node_, flows_.Register(*node_).id); }
  void Finalize(const acme::OrderId& id, const ca::Ticket& ticket) {
    EXPECT_TRUE(IsOk(node_->acme().BeginFinalize(id, ticket, {}, flows_.now())));
  }
  static std::string HoldingOrder(const acme::OrderId& id) {
    return "SELECT 1 FROM acme_order WHERE id = '" + id + "' FOR UPDATE";
  }
  ca::Certificate Sign(ca::Ticket ticket) {
    return flows_.issuer.issuer->Issue(std::move(ticket)).value();
  }
  Result<ca::CertStatus> StatusOf(const ca::Serial& serial) {
    return other_->certificates().StatusOf(flows_.issuer_id(), serial);
  }
  ca::Agent AddAgent() {
    return node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice()).value();
  }
  acme::AuthorizationId PlaceForEvidence() {
    return flows_.Place(*node_, flows_.Register(*node_).id).authorizations[0].id;
  }
  auto Drop(Backend& at, const acme::AuthorizationId& id, const acme::Attestation& evidence) {
    return Beside([=, this, &at] { return at.acme().RecordDrop(id, evidence, flows_.now()); });
  }
  // Of an order that asked for approval.
  acme::OrderId PlaceAsking() {
    const acme::OrderId id = PlaceReady().order.id;
    const acme::Approval asking{.agent = {"acme", "web"},
                                .csr = {0x30, 0x00},
                                .decision = acme::Decision::kWaiting,
                                .asked_at = flows_.now(),
                                .decided_by = {},
                                .reason = {},
                                .decided_at = {}};
    EXPECT_TRUE(IsOk(node_->acme().AskApproval(id, asking, {}, flows_.now())));
    return id;
  }
  auto Decide(const acme::OrderId& id, acme::Decision decision) {
    return Beside([=, this] {
      return other_->acme().DecideApproval(id, decision, "bob", "because", flows_.now());
    });
  }

  std::unique_ptr<Backend> other_;
};

// ---- Claims -------------------------------------------------------------------------------------

TEST_F(PostgresIsolation, AnOrderThatIsBeingCompletedIsNotClaimed) {
  const auto ready = PlaceReady();
  ca::Ticket ticket = flows_.NewTicket(ready.order.id);
  Finalize(ready.order.id, ticket);
  const ca::Certificate certificate = Sign(std::move(ticket));
  const auto obstacle = Obstruct(kNoBody);
  auto completed = Beside([&] {
    return node_->acme().CompleteOrder(ready.order.id, certificate, flows_.issuer_id(), {});
  });
  ASSERT_TRUE(SomebodyWaits());
  auto claimed = Beside([&] {
    return other_->acme().ClaimOrders(ca::WorkScope::kOwnAndDead, flows_.now(), 10);
  });
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(completed.get()));
  EXPECT_TRUE(claimed.get()->empty());
  EXPECT_EQ(node_->acme().FindOrder(ready.order.id)->order.certificate, certificate.serial);
}

// The claim takes the first order and waits for the second; the first one's worker is not dead.
TEST_F(PostgresIsolation, AnOrderThatIsBeingClaimedIsNotCompleted) {
  auto first = PlaceReady();
  auto second = PlaceReady();
  if (second.order.id < first.order.id) std::swap(first, second);
  ca::Ticket ticket = flows_.NewTicket(first.order.id);
  Finalize(first.order.id, ticket);
  const ca::Certificate certificate = Sign(std::move(ticket));
  Finalize(second.order.id, flows_.NewTicket(second.order.id));
  const auto obstacle = Obstruct(HoldingOrder(second.order.id).c_str());
  auto claimed = Beside([&] {
    return other_->acme().ClaimOrders(ca::WorkScope::kOwnAndDead, flows_.now(), 10);
  });
  ASSERT_TRUE(SomebodyWaits());
  auto completed = Beside([&] {
    return node_->acme().CompleteOrder(first.order.id, certificate, flows_.issuer_id(), {});
  });
  auto failed = Beside([&] {
    return node_->acme().FinishOrder(first.order.id, Error{Code::kInternal, "gave up"});
  });
  EXPECT_TRUE(SomebodyWaits(3));
  obstacle->Rollback();
  EXPECT_EQ(claimed.get()->size(), 2U);
  EXPECT_TRUE(FailsWith(Code::kConflict, completed.get()));
  EXPECT_TRUE(FailsWith(Code::kConflict, failed.get()));
  EXPECT_EQ(StatusOf(certificate.serial)->state, ca::SerialState::kIntent);
  EXPECT_TRUE(
      IsOk(other_->acme().CompleteOrder(first.order.id, certificate, flows_.issuer_id(), {})));
}

TEST_F(PostgresIsolation, AnOrderThatIsBeingClaimedHasNoIntentOfAnother) {
  AddAgent();
  auto asking = PlaceAsking();
  auto second = PlaceAsking();
  if (second < asking) std::swap(asking, second);
  for (const auto& each : {asking, second})
    EXPECT_TRUE(IsOk(Decide(each, acme::Decision::kGranted).get()));
  const auto obstacle = Obstruct(HoldingOrder(second).c_str());
  auto claimed = Beside([&] {
    return other_->acme().ClaimOrders(ca::WorkScope::kOwnAndDead, flows_.now(), 10);
  });
  ASSERT_TRUE(SomebodyWaits());
  const ca::Ticket ticket = flows_.NewTicket(asking);
  auto begun = Beside([&] { return node_->acme().BeginApproved(asking, ticket, {}, flows_.now()); });
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_EQ(claimed.get()->size(), 2U);
  EXPECT_TRUE(FailsWith(Code::kOrderNotReady, begun.get()));
  EXPECT_TRUE(FailsWith(Code::kNotFound, StatusOf(ticket.serial())));
}

TEST_F(PostgresIsolation, AChallengeThatIsBeingClaimedHasNoOutcomeOfAnother) {
  auto first = PlaceForEvidence();
  auto second = PlaceForEvidence();
  if (second < first) std::swap(first, second);
  for (const auto& id : {first, second})
    EXPECT_TRUE(
        IsOk(node_->acme().BeginChallenge(id, acme::ChallengeType::kDns01, {}, flows_.now())));
  const std::string hold =
      "SELECT 1 FROM acme_authorization WHERE id = '" + second + "' FOR UPDATE";
  const auto obstacle = Obstruct(hold.c_str());
  auto claimed = Beside(
      [&] { return other_->acme().ClaimChallenges(ca::WorkScope::kOwnAndDead, 10); });
  ASSERT_TRUE(SomebodyWaits());
  auto finished = Beside(
      [&] { return node_->acme().FinishChallenge(first, acme::Proof{}, flows_.now()); });
  auto retried = Beside(
      [&] { return node_->acme().RecordRetry(first, Error{Code::kInternal, "again"}); });
  EXPECT_TRUE(SomebodyWaits(3));
  obstacle->Rollback();
  EXPECT_EQ(claimed.get()->size(), 2U);
  EXPECT_TRUE(FailsWith(Code::kConflict, finished.get()));
  EXPECT_TRUE(FailsWith(Code::kConflict, retried.get()));
  EXPECT_TRUE(IsOk(other_->acme().FinishChallenge(first, acme::Proof{}, flows_.now())));
}

// ---- Authorizations and evidence ------------------------------------------------------------------

TEST_F(PostgresIsolation, TheDeactivationOfAnAuthorizationWaitsForTheFinalizeThatRestsOnIt) {
  const auto view = PlaceReady();
  const ca::Ticket ticket = flows_.NewTicket(view.order.id);
  const auto obstacle = Obstruct(kNoBody);
  auto begun = Beside([&] {
    return node_->acme().BeginFinalize(view.order.id, ticket, {}, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto deactivated = Beside([&] {
    return other_->acme().DeactivateAuthorization(view.authorizations[0].id, flows_.now());
  });
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_TRUE(IsOk(deactivated.get()));
}

TEST_F(PostgresIsolation, AFinalizeSeesTheDeactivationThatItWaitedFor) {
  const auto view = PlaceReady();
  const ca::Ticket ticket = flows_.NewTicket(view.order.id);
  const auto deactivation = Obstruct("UPDATE acme_authorization SET deactivated = 1");
  auto begun = Beside([&] {
    return node_->acme().BeginFinalize(view.order.id, ticket, {}, flows_.now());
  });
  EXPECT_TRUE(SomebodyWaits());
  deactivation->Commit();
  EXPECT_TRUE(FailsWith(Code::kOrderNotReady, begun.get()));
  EXPECT_TRUE(FailsWith(Code::kNotFound, StatusOf(ticket.serial())));
}

TEST_F(PostgresIsolation, EvidenceIsDroppedOnce) {
  const acme::Attestation evidence = flows_.make.NewAttestation(AddAgent());
  const auto first = PlaceForEvidence();
  const auto second = PlaceForEvidence();
  const auto obstacle = Obstruct(kNoAuthorization);
  auto one = Drop(*node_, first, evidence);
  ASSERT_TRUE(SomebodyWaits());
  auto two = Drop(*other_, second, evidence);
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(one.get()));
  EXPECT_TRUE(FailsWith(Code::kBadAttestation, two.get()));
  EXPECT_FALSE(node_->acme().FindAuthorization(second)->attestation);
}

TEST_F(PostgresIsolation, AnAgentThatIsBeingAdmittedElsewhereIsFound) {
  ca::Agent wanted = fakes::SomeAgent();
  wanted.admitted_by = "rule";
  acme::Attestation evidence = flows_.make.NewAttestation(wanted);
  evidence.admit = wanted;
  acme::Attestation more = flows_.make.NewAttestation(wanted);
  more.admit = wanted;
  const auto first = PlaceForEvidence();
  const auto second = PlaceForEvidence();
  const auto obstacle = Obstruct(kNoAuthorization);
  auto one = Drop(*node_, first, evidence);
  ASSERT_TRUE(SomebodyWaits());
  auto two = Drop(*other_, second, more);
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(one.get()));
  EXPECT_TRUE(IsOk(two.get()));
  EXPECT_EQ(node_->agents().AgentHistory(wanted.id, 0, 10)->size(), 1U);
}

// By an attempt of which nobody knew that it was to come to pass.
TEST_F(PostgresIsolation, AnEventThatIsBeingNotedIsNotedOnce) {
  const ca::AgentId id = AddAgent().id;
  const auto obstacle = Obstruct("LOCK TABLE agent_event IN SHARE MODE");
  const auto note = [&](Backend& at) {
    return Beside([&] { return at.agents().NoteAgentEvent(id, "what", "", fakes::ByAlice()); });
  };
  auto one = note(*node_);
  ASSERT_TRUE(SomebodyWaits());
  auto two = note(*other_);
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(one.get()));
  EXPECT_TRUE(IsOk(two.get()));
  EXPECT_EQ(node_->agents().AgentHistory(id, 0, 10)->size(), 2U);  // with that it was added
}

// ---- Approvals ------------------------------------------------------------------------------------

TEST_F(PostgresIsolation, TheIntentOfAnOrderSeesTheDecisionThatItWaitedFor) {
  AddAgent();
  for (const auto decision : {acme::Decision::kGranted, acme::Decision::kDenied}) {
    const auto asking = PlaceAsking();
    const ca::Ticket ticket = flows_.NewTicket(asking);
    const auto obstacle = Obstruct(kNoApproval);
    auto decided = Decide(asking, decision);
    ASSERT_TRUE(SomebodyWaits());
    auto begun = Beside(
        [&] { return node_->acme().BeginApproved(asking, ticket, {}, flows_.now()); });
    EXPECT_TRUE(SomebodyWaits(2));
    obstacle->Rollback();
    EXPECT_TRUE(IsOk(decided.get()));
    const Status status = begun.get();
    const bool granted = decision == acme::Decision::kGranted;
    EXPECT_TRUE(granted ? IsOk(status) : FailsWith(Code::kOrderNotReady, status));
    EXPECT_EQ(StatusOf(ticket.serial()).ok(), granted);
  }
}

// ---- Serials --------------------------------------------------------------------------------------

TEST_F(PostgresIsolation, WhatIsBeingRecordedIsRevokedAsIssued) {
  const ca::Certificate certificate = flows_.Intend(*node_);
  const auto obstacle = Obstruct(kNoBody);
  auto recorded = Beside([&] {
    return node_->certificates().RecordCertificate(certificate, flows_.issuer_id());
  });
  ASSERT_TRUE(SomebodyWaits());
  // It is an intent as yet, which cannot be revoked.
  EXPECT_TRUE(FailsWith(Code::kNotFound,
                        other_->certificates().Revoke(flows_.issuer_id(), certificate.serial,
                                                      ca::Reason::kSuperseded, flows_.now())));
  auto abandoned = Beside([&] {
    return other_->certificates().Abandon(flows_.issuer_id(), certificate.serial, flows_.now());
  });
  const Recollection known{.issuer = flows_.issuer_id(),
                           .serial = certificate.serial,
                           .signed_at = flows_.now(),
                           .not_after = flows_.now() + Seconds(3600),
                           .revocation = ca::Revocation{flows_.now(), ca::Reason::kSuperseded}};
  auto recalled =
      Beside([&] { return node_->maintenance()->Recall(known, flows_.now(), false); });
  EXPECT_TRUE(SomebodyWaits(3));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(recorded.get()));
  EXPECT_TRUE(FailsWith(Code::kConflict, abandoned.get()));
  EXPECT_TRUE(IsOk(recalled.get()));
  const auto status = StatusOf(certificate.serial);
  EXPECT_EQ(status->state, ca::SerialState::kIssued);
  EXPECT_TRUE(status->revocation);
}

TEST_F(PostgresIsolation, WhatIsBeingAbandonedIsNotRecorded) {
  const ca::Certificate certificate = flows_.Intend(*node_);
  const auto obstacle = Obstruct(kNoEvent);
  auto abandoned = Beside([&] {
    return other_->certificates().Abandon(flows_.issuer_id(), certificate.serial, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  auto recorded = Beside([&] {
    return node_->certificates().RecordCertificate(certificate, flows_.issuer_id());
  });
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(abandoned.get()));
  EXPECT_TRUE(FailsWith(Code::kConflict, recorded.get()));
  const auto status = StatusOf(certificate.serial);
  EXPECT_EQ(status->state, ca::SerialState::kAbandoned);
  EXPECT_TRUE(status->revocation);
}

// ---- Pruning --------------------------------------------------------------------------------------

TEST_F(PostgresIsolation, AnOrderThatIsBeingFinalizedIsNotPruned) {
  const auto view = PlaceReady();
  const ca::Ticket ticket = flows_.NewTicket(view.order.id);
  const auto obstacle = Obstruct(kNoBody);
  auto begun = Beside([&] {
    return node_->acme().BeginFinalize(view.order.id, ticket, {}, flows_.now());
  });
  ASSERT_TRUE(SomebodyWaits());
  // By a clock that is far ahead of the other's.
  auto pruned = Beside([&] {
    return other_->maintenance()->Prune(Prunable::kOrders, flows_.now() + Seconds(1'000'000), {},
                                        false);
  });
  EXPECT_TRUE(SomebodyWaits(2));
  obstacle->Rollback();
  EXPECT_TRUE(IsOk(begun.get()));
  EXPECT_EQ(pruned.get()->deleted, 0U);
  EXPECT_TRUE(IsOk(node_->acme().FindOrder(view.order.id)));
}

}  // namespace
}  // namespace agentca::storage
