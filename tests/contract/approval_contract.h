// The part of the acme::Store contract about what finalize demands of agents: evidence, approval.
#pragma once

#include "tests/contract/evidence_contract.h"

namespace agentca::contract {

class ApprovalStore : public EvidenceStore {
 protected:
  acme::OrderId PlaceProven(const ca::Agent& agent, Time verified_at) {
    Attestation attestation = make_.NewAttestation(agent);
    attestation.verified_at = verified_at;
    const acme::Authorization mine = Begun(account_);
    EXPECT_OK(Finish(mine.id, attestation));
    return mine.order_id;
  }
  acme::OrderId PlaceProven(const ca::Agent& agent) { return PlaceProven(agent, now()); }
  acme::FinalizeGuard GuardOf(const ca::Agent& agent) const {
    return {
        .agent = agent.id, .agent_version = agent.version, .verified_after = now() - Seconds(600)};
  }
  acme::Approval Asking(const ca::AgentId& agent, Time at) const {
    return {.agent = agent,
            .csr = {0x30, 0x00, 0xff},
            .decision = acme::Decision::kWaiting,
            .asked_at = at,
            .decided_by = {},
            .reason = {},
            .decided_at = {}};
  }
  acme::OrderId PlaceWaiting(const ca::Agent& agent, Seconds after = Seconds(0)) {
    const acme::OrderId id = PlaceProven(agent);
    EXPECT_OK(store().AskApproval(id, Asking(agent.id, now() + after), GuardOf(agent), now()));
    return id;
  }
  Status Begin(const acme::OrderId& id, const acme::FinalizeGuard& guard) {
    return store().BeginFinalize(id, NewTicket(id), guard, now());
  }
  Status BeginApproved(const acme::OrderId& id, const ca::Agent& agent) {
    return store().BeginApproved(id, NewTicket(id), GuardOf(agent), now());
  }
  bool HasIntent(const acme::OrderId& id) {
    const auto record = backend_->certificates().FindByReference(id);
    return record.ok() && record->state == ca::SerialState::kIntent;
  }
  Status Decide(const acme::OrderId& id, acme::Decision decision) {
    return store().DecideApproval(id, decision, "operator bob", "because", now() + Seconds(9));
  }
  // Refused, the order is as ready as before, nobody is asked and nothing recorded.
  void ExpectRefused(const acme::OrderId& id, const acme::FinalizeGuard& guard) {
    EXPECT_FAILS(Code::kUnauthorized, Begin(id, guard));
    EXPECT_FAILS(Code::kUnauthorized,
                 store().AskApproval(id, Asking(*guard.agent, now()), guard, now()));
    EXPECT_EQ(StatusOfOrder(id), OrderStatus::kReady);
    EXPECT_FALSE(store().FindOrder(id)->order.approval);
    EXPECT_FAILS(Code::kNotFound, backend_->certificates().FindByReference(id));
  }

  const acme::Account account_ = Register();
};

// ---- The guard of finalize ---------------------------------------------------------------------

TEST_P(ApprovalStore, FinalizeNeedsAnAgentThatIsActiveAndTheOneThatWasJudged) {
  ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceProven(agent);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  ExpectRefused(id, GuardOf(agents().FindAgent(agent.id).value()));
  SetStatus(agent, ca::AgentStatus::kActive);
  ExpectRefused(id, GuardOf(agent));  // an older version
  agent = agents().FindAgent(agent.id).value();
  agent.purpose = "another";
  const ca::Agent changed = agents().ChangeAgent(agent, By()).value();
  ExpectRefused(id, GuardOf(agent));
  ExpectRefused(id, GuardOf(Unregistered("nobody")));
  EXPECT_OK(Begin(id, GuardOf(changed)));
  EXPECT_TRUE(HasIntent(id));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);

  const acme::OrderId late = PlaceProven(changed);
  SetStatus(agent, ca::AgentStatus::kRetired);
  ExpectRefused(late, GuardOf(agents().FindAgent(agent.id).value()));
}

TEST_P(ApprovalStore, FinalizeNeedsEvidenceThatIsYoungEnough) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId old = PlaceProven(agent, now() - Seconds(600));
  ExpectRefused(old, GuardOf(agent));
  const acme::OrderId young = PlaceProven(agent, now() - Seconds(599));
  EXPECT_OK(Begin(young, GuardOf(agent)));
}

TEST_P(ApprovalStore, FinalizeNeedsEvidenceOfThisAgent) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId foreign = PlaceProven(AddAgent("db"));
  ExpectRefused(foreign, GuardOf(agent));
  const acme::OrderView unproven = PlaceReady(account_.id, "web.acme.agents.test");
  ExpectRefused(unproven.order.id, GuardOf(agent));
}

TEST_P(ApprovalStore, FinalizeOfAnOrderThatIsNotReadyAsksForNothing) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceFor(account_).order_id;
  const acme::Approval asking = Asking(agent.id, now());
  EXPECT_FAILS(Code::kOrderNotReady, store().AskApproval(id, asking, GuardOf(agent), now()));
  EXPECT_FALSE(store().FindOrder(id)->order.approval);
  EXPECT_TRUE(store().ListApprovals(true, "", 10)->empty());
  const acme::OrderId waiting = PlaceWaiting(agent);
  EXPECT_FAILS(Code::kOrderNotReady, store().AskApproval(waiting, asking, GuardOf(agent), now()));
  EXPECT_FAILS(Code::kOrderNotReady, Begin(waiting, GuardOf(agent)));
  EXPECT_FALSE(HasIntent(waiting));
}

TEST_P(ApprovalStore, ACertificateIsRecordedForAnAgentThatIsActiveOnly) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceProven(agent);
  ca::Ticket ticket = NewTicket(id);
  ASSERT_OK(store().BeginFinalize(id, ticket, GuardOf(agent), now()));
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  const auto complete = [&](const ca::AgentId& whose) {
    return store().CompleteOrder(id, certificate, issuer_.issuer->id(), whose);
  };
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_FAILS(Code::kUnauthorized, complete(agent.id));
  EXPECT_FAILS(Code::kUnauthorized, complete({"acme", "nobody"}));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);
  EXPECT_TRUE(HasIntent(id));
  SetStatus(agent, ca::AgentStatus::kActive);
  EXPECT_OK(complete(agent.id));
  EXPECT_EQ(StateOf(certificate.serial), ca::SerialState::kIssued);
}

// ---- Approval ----------------------------------------------------------------------------------

TEST_P(ApprovalStore, AnOrderThatAsksIsProcessingUntilItIsFinished) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  const auto waiting = store().FindOrder(id)->order.approval;
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->agent, agent.id);
  EXPECT_EQ(waiting->csr, (Bytes{0x30, 0x00, 0xff}));
  EXPECT_EQ(waiting->decision, acme::Decision::kWaiting);
  EXPECT_EQ(waiting->asked_at, now());
  EXPECT_FALSE(waiting->decided_at);
  EXPECT_EQ(StatusOfOrder(id, now() + Seconds(10'000'000)), OrderStatus::kProcessing);

  ASSERT_OK(Decide(id, acme::Decision::kGranted));
  const auto granted = store().FindOrder(id)->order.approval;
  EXPECT_EQ(granted->decision, acme::Decision::kGranted);
  EXPECT_EQ(granted->decided_by, "operator bob");
  EXPECT_EQ(granted->reason, "because");
  EXPECT_EQ(granted->decided_at, now() + Seconds(9));
  EXPECT_EQ(granted->csr, waiting->csr);
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);
  EXPECT_EQ(ProcessingOrders(), std::vector<acme::OrderId>{id});
  ASSERT_OK(store().FinishOrder(id, make_.NewSerial()));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kValid);
  EXPECT_TRUE(store().FindOrder(id)->order.approval);
}

TEST_P(ApprovalStore, Invariant6_AnApprovalIsDecidedOnce) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  EXPECT_FAILS(Code::kMalformed, Decide(id, acme::Decision::kWaiting));
  ASSERT_OK(Decide(id, acme::Decision::kDenied));
  EXPECT_FAILS(Code::kConflict, Decide(id, acme::Decision::kGranted));
  EXPECT_FAILS(Code::kConflict, Decide(id, acme::Decision::kDenied));
  EXPECT_EQ(store().FindOrder(id)->order.approval->decision, acme::Decision::kDenied);
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);
  ASSERT_OK(store().FinishOrder(id, Error{Code::kUnauthorized, "denied"}));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kInvalid);
}

TEST_P(ApprovalStore, NothingIsDecidedForAnOrderThatDoesNotAskOrIsSettled) {
  const ca::Agent agent = AddAgent();
  EXPECT_FAILS(Code::kNotFound, Decide("nothing", acme::Decision::kGranted));
  EXPECT_FAILS(Code::kNotFound, Decide(PlaceProven(agent), acme::Decision::kGranted));
  EXPECT_FAILS(Code::kNotFound,
               Decide(PlaceProcessing(account_.id).order.id, acme::Decision::kGranted));
  const acme::OrderId settled = PlaceWaiting(agent);
  ASSERT_OK(store().FinishOrder(settled, Error{Code::kUnauthorized, "the agent retired"}));
  EXPECT_FAILS(Code::kConflict, Decide(settled, acme::Decision::kGranted));
  EXPECT_EQ(store().FindOrder(settled)->order.approval->decision, acme::Decision::kWaiting);
}

TEST_P(ApprovalStore, NothingIsGrantedToAnAgentThatIsNotActive) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_FAILS(Code::kUnauthorized, Decide(id, acme::Decision::kGranted));
  EXPECT_EQ(store().FindOrder(id)->order.approval->decision, acme::Decision::kWaiting);
  EXPECT_OK(Decide(id, acme::Decision::kDenied));
}

TEST_P(ApprovalStore, ListApprovalsPagesNewestFirstAndHidesWhatIsDecided) {
  const ca::Agent agent = AddAgent();
  std::vector<acme::OrderId> all;
  for (int i = 0; i < 6; ++i) all.insert(all.begin(), PlaceWaiting(agent, Seconds(i / 2)));
  std::vector<acme::OrderId> sorted = all;
  std::sort(sorted.begin() + 0, sorted.begin() + 2, std::greater<>());
  std::sort(sorted.begin() + 2, sorted.begin() + 4, std::greater<>());
  std::sort(sorted.begin() + 4, sorted.begin() + 6, std::greater<>());
  (void)PlaceProcessing(account_.id);
  const auto listed = [&](bool everything) {
    std::vector<acme::OrderId> ids;
    while (ids.size() < 20) {
      const auto page = store().ListApprovals(everything, ids.empty() ? "" : ids.back(), 2).value();
      EXPECT_LE(page.size(), 2U);
      if (page.empty()) break;
      for (const auto& each : page) {
        EXPECT_EQ(each.account, account_.id);
        EXPECT_EQ(each.approval.agent, agent.id);
        ids.push_back(each.order);
      }
    }
    return ids;
  };
  EXPECT_EQ(listed(false), sorted);
  ASSERT_OK(Decide(sorted[1], acme::Decision::kGranted));
  ASSERT_OK(store().FinishOrder(sorted[4], Error{Code::kUnauthorized, "given up"}));
  EXPECT_EQ(listed(true), sorted);
  sorted.erase(sorted.begin() + 4);
  sorted.erase(sorted.begin() + 1);
  EXPECT_EQ(listed(false), sorted);
  EXPECT_FAILS(Code::kMalformed, store().ListApprovals(true, "nothing", 10));
}

TEST_P(ApprovalStore, OneOfManyDecisionsCounts) {
  const ca::Agent agent = AddAgent();
  for (int round = 0; round < kRounds; ++round) {
    const acme::OrderId id = PlaceWaiting(agent);
    EXPECT_EQ(
        1, CountWinners(kRacers, [&](int i) {
          return Decide(id, i % 2 == 0 ? acme::Decision::kGranted : acme::Decision::kDenied).ok();
        }));
  }
}

TEST_P(ApprovalStore, ASuspensionAndAFinalizeHappenOneAfterTheOther) {
  for (int round = 0; round < kRounds; ++round) {
    const ca::Agent agent = AddAgent("race-" + std::to_string(round));
    const acme::OrderId id = PlaceProven(agent);
    std::atomic<bool> begun = false;
    std::atomic<bool> ready_after_suspension = false;
    (void)CountWinners(2, [&](int i) {
      if (i == 0) return begun.store(Begin(id, GuardOf(agent)).ok()), true;
      SetStatus(agent, ca::AgentStatus::kSuspended);
      ready_after_suspension = StatusOfOrder(id) == OrderStatus::kReady;
      return true;
    });
    EXPECT_FALSE(begun && ready_after_suspension);
    EXPECT_EQ(begun, HasIntent(id));
  }
}

// ---- The intent of what was approved -----------------------------------------------------------

TEST_P(ApprovalStore, Invariant10_AnApprovedOrderTakesItsIntentOnce) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  EXPECT_FALSE(HasIntent(id));
  ASSERT_OK(Decide(id, acme::Decision::kGranted));
  ca::Ticket ticket = NewTicket(id);
  const ca::Serial serial = ticket.serial();
  ASSERT_OK(store().BeginApproved(id, ticket, GuardOf(agent), now()));
  EXPECT_EQ(StateOf(serial), ca::SerialState::kIntent);
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);

  const ca::Ticket second = NewTicket(id);
  EXPECT_FAILS(Code::kOrderNotReady, store().BeginApproved(id, second, GuardOf(agent), now()));
  EXPECT_EQ(StateOf(second.serial()), std::nullopt);
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  ASSERT_OK(Complete(id, certificate));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kValid);
  EXPECT_FAILS(Code::kOrderNotReady, store().BeginApproved(id, second, GuardOf(agent), now()));
  EXPECT_EQ(StateOf(second.serial()), std::nullopt);
}

TEST_P(ApprovalStore, Invariant10_AnAbandonedIntentIsNotFollowedByAnother) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  ASSERT_OK(Decide(id, acme::Decision::kGranted));
  const ca::Ticket ticket = NewTicket(id);
  ASSERT_OK(store().BeginApproved(id, ticket, GuardOf(agent), now()));
  ASSERT_OK(backend_->certificates().Abandon(issuer_.issuer->id(), ticket.serial(), now()));
  EXPECT_FAILS(Code::kOrderNotReady, BeginApproved(id, agent));
  EXPECT_EQ(StateOf(ticket.serial()), ca::SerialState::kAbandoned);
  EXPECT_FALSE(HasIntent(id));
}

TEST_P(ApprovalStore, OnlyAGrantedOrderThatIsNotSettledTakesAnIntentLater) {
  const ca::Agent agent = AddAgent();
  const auto refused = [&](const acme::OrderId& id) {
    const OrderStatus status = StatusOfOrder(id);
    EXPECT_FAILS(Code::kOrderNotReady, BeginApproved(id, agent));
    EXPECT_EQ(StatusOfOrder(id), status);
    EXPECT_FALSE(HasIntent(id));
  };
  EXPECT_FAILS(Code::kNotFound, BeginApproved("nothing", agent));
  refused(PlaceFor(account_).order_id);
  refused(PlaceProven(agent));
  refused(PlaceWaiting(agent));
  const acme::OrderId denied = PlaceWaiting(agent);
  ASSERT_OK(Decide(denied, acme::Decision::kDenied));
  refused(denied);
  const acme::OrderId settled = PlaceWaiting(agent);
  ASSERT_OK(Decide(settled, acme::Decision::kGranted));
  ASSERT_OK(store().FinishOrder(settled, Error{Code::kUnauthorized, "the agent retired"}));
  refused(settled);
  const acme::OrderId begun = PlaceProven(agent);
  ASSERT_OK(Begin(begun, GuardOf(agent)));
  EXPECT_FAILS(Code::kOrderNotReady, BeginApproved(begun, agent));
}

TEST_P(ApprovalStore, WhatWasApprovedIsGuardedAgain) {
  ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  ASSERT_OK(Decide(id, acme::Decision::kGranted));
  const auto refused = [&](Code code, const acme::FinalizeGuard& guard, Time at) {
    EXPECT_FAILS(code, store().BeginApproved(id, NewTicket(id), guard, at));
    EXPECT_EQ(StatusOfOrder(id), OrderStatus::kProcessing);
    EXPECT_FALSE(HasIntent(id));
  };
  const Time expiry = store().FindOrder(id)->order.expires_at;
  refused(Code::kUnauthorized, GuardOf(agent), expiry);
  acme::FinalizeGuard strict = GuardOf(agent);
  strict.verified_after = now();
  refused(Code::kUnauthorized, strict, now());
  EXPECT_FAILS(Code::kInternal,
               store().BeginApproved(id, NewTicket("another"), GuardOf(agent), now()));
  SetStatus(agent, ca::AgentStatus::kSuspended);
  refused(Code::kUnauthorized, GuardOf(agents().FindAgent(agent.id).value()), now());
  SetStatus(agent, ca::AgentStatus::kActive);
  refused(Code::kUnauthorized, GuardOf(agent), now());  // an older version
  agent = agents().FindAgent(agent.id).value();
  const ca::Ticket used = NewTicket(PlaceProven(agent));
  ASSERT_OK(backend_->certificates().RecordIntent(used, now()));
  EXPECT_FAILS(Code::kConflict,
               store().BeginApproved(id, NewTicket(id, used.serial()), GuardOf(agent), now()));
  EXPECT_FALSE(HasIntent(id));
  EXPECT_OK(store().BeginApproved(id, NewTicket(id), GuardOf(agent), expiry - Seconds(1)));

  const acme::OrderId late = PlaceWaiting(agent);
  ASSERT_OK(Decide(late, acme::Decision::kGranted));
  ASSERT_OK(store().DeactivateAccount(account_.id));
  EXPECT_FAILS(Code::kAccountInactive, BeginApproved(late, agent));
  EXPECT_FALSE(HasIntent(late));
}

TEST_P(ApprovalStore, OneOfManyIntentsOfAnApprovedOrderWins) {
  const ca::Agent agent = AddAgent();
  for (int round = 0; round < kRounds; ++round) {
    const acme::OrderId id = PlaceWaiting(agent);
    ASSERT_OK(Decide(id, acme::Decision::kGranted));
    std::vector<ca::Ticket> tickets;
    for (int racer = 0; racer < kRacers; ++racer) tickets.push_back(NewTicket(id));
    EXPECT_EQ(1, CountWinners(kRacers, [&](int racer) {
                const auto& ticket = tickets[static_cast<size_t>(racer)];
                return store().BeginApproved(id, ticket, GuardOf(agent), now()).ok();
              }));
    const auto recorded = [&](const ca::Ticket& each) {
      return StateOf(each.serial()).has_value();
    };
    EXPECT_EQ(1, std::count_if(tickets.begin(), tickets.end(), recorded));
  }
}

}  // namespace agentca::contract
