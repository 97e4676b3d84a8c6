// Classes that need a human: orders that wait, and what becomes of them.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestApproval : public AttestTest {
 protected:
  AttestApproval() { Enrol(Class(ca::Degree::kHigh, ca::Degree::kHigh)); }
  AgentOrder Proven() {
    const AgentOrder order = Order(client_);
    EXPECT_TRUE(Proves(client_, order, HardwareResponse(Of(order, &key_), &key_)));
    return order;
  }
  AgentOrder Waiting() {
    const AgentOrder order = Proven();
    const auto finalized = Finalize(client_, order.url, fakes::MakeCsr(key_, {kName}));
    EXPECT_EQ(Text(finalized, "status"), "processing") << finalized.body;
    EXPECT_EQ(fakes::HeaderOf(finalized, "Retry-After"), "15");
    return order;
  }
  void Decide(const AgentOrder& order, Decision decision, const std::string& reason = "") {
    ASSERT_TRUE(store_.DecideApproval(IdOf(order), decision, "alice", reason, clock_.Now()).ok());
  }
  std::string StatusOfOrder(const AgentOrder& order) {
    return Text(Get(client_, order.url), "status");
  }
  Client client_ = Register();
  fakes::TestSigner key_;
};

TEST_F(AttestApproval, NothingIsSignedBeforeSomebodyAgrees) {
  const int signatures = issuer_.signer->calls();
  const AgentOrder order = Waiting();
  EXPECT_EQ(issuer_.signer->calls(), signatures);
  EXPECT_EQ(service_->Decided(IdOf(order)).error().code, Code::kConflict);
  EXPECT_EQ(StatusOfOrder(order), "processing");
  const auto asked = store_.ListApprovals(false, "", 10);
  ASSERT_EQ(asked->size(), 1U);
  EXPECT_EQ(asked->front().approval.agent, (ca::AgentId{"acme", "planner"}));
}

TEST_F(AttestApproval, GrantedItIsIssued) {
  const AgentOrder order = Waiting();
  clock_.Advance(Seconds(3600));  // people take their time; the evidence was fresh when asked
  Decide(order, Decision::kGranted);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "valid");
  EXPECT_EQ(Issued(order).key, key_.public_key());
  EXPECT_EQ(service_->Decided(IdOf(order)).error().code, Code::kConflict);
}

TEST_F(AttestApproval, DeniedItFailsWithTheReason) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kDenied, "not on a Friday");
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "invalid");
  EXPECT_EQ(ErrorOf(Get(client_, order.url)),
            "unauthorized: the approval was denied: not on a Friday");
  EXPECT_EQ(certificates_.FindByReference(IdOf(order)).error().code, Code::kNotFound);
}

TEST_F(AttestApproval, AnAgentSuspendedSinceTheDecisionGetsNothing) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  Set(ca::AgentStatus::kSuspended);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "invalid");
  EXPECT_EQ(ErrorOf(Get(client_, order.url)), "unauthorized: agent acme/planner is suspended");
}

TEST_F(AttestApproval, WhatWasAgreedToIsNotIssuedForAChangedRegistration) {
  const AgentOrder order = Waiting();
  ca::Agent agent = Registered();
  agent.scopes = {"everything"};
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  Decide(order, Decision::kGranted);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "invalid");
}

TEST_F(AttestApproval, ADeactivatedAccountGetsNothing) {
  const AgentOrder order = Waiting();
  ASSERT_TRUE(store_.DeactivateAccount(client_.kid.substr((kBase + "/acme/account/").size())).ok());
  Decide(order, Decision::kGranted);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_TRUE(store_.FindOrder(IdOf(order))->order.error.has_value());
}

TEST_F(AttestApproval, WaitsOnWhileTheKeyIsAway) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  keys_.SetHealthy(false);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "processing");
  keys_.SetHealthy(true);
  EXPECT_TRUE(Settles(client_, order.url, "valid"));
}

TEST_F(AttestApproval, ARestartLeavesWhatWaitsAndDoesWhatIsDecided) {
  const AgentOrder waiting = Waiting();
  const AgentOrder granted = Waiting();
  const AgentOrder denied = Waiting();
  Decide(granted, Decision::kGranted);
  Decide(denied, Decision::kDenied);
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_EQ(StatusOfOrder(waiting), "processing");
  EXPECT_TRUE(Settles(client_, granted.url, "valid"));
  EXPECT_TRUE(Settles(client_, denied.url, "invalid"));
  Decide(waiting, Decision::kGranted);
  EXPECT_TRUE(service_->Decided(IdOf(waiting)).ok());
  EXPECT_EQ(StatusOfOrder(waiting), "valid");
}

TEST_F(AttestApproval, NobodyAgreesToAnOrderThatExpired) {
  const AgentOrder granted = Waiting();
  const AgentOrder forgotten = Waiting();
  clock_.Advance(policy_.order_lifetime);
  Decide(granted, Decision::kGranted);
  EXPECT_TRUE(service_->Decided(IdOf(granted)).ok());
  EXPECT_EQ(ErrorOf(Get(client_, granted.url)),
            "unauthorized: the order expired before anybody agreed to it");
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, forgotten.url, "invalid"));
}

TEST_F(AttestApproval, ADecisionThatAnotherNodeRecordedIsActedOn) {
  const AgentOrder granted = Waiting();
  const AgentOrder denied = Waiting();
  const AgentOrder waiting = Waiting();
  Decide(granted, Decision::kGranted);
  Decide(denied, Decision::kDenied);
  ASSERT_TRUE(service_->TakeOver().ok());
  EXPECT_EQ(StatusOfOrder(granted), "valid");
  EXPECT_EQ(StatusOfOrder(denied), "invalid");
  EXPECT_EQ(StatusOfOrder(waiting), "processing");
}

TEST_F(AttestApproval, WhatNobodyDecidesFailsWhenItsTimeIsUp) {
  const AgentOrder order = Waiting();
  ASSERT_TRUE(service_->TakeOver().ok());
  EXPECT_EQ(StatusOfOrder(order), "processing");
  clock_.Advance(policy_.order_lifetime);
  ASSERT_TRUE(service_->TakeOver().ok());
  EXPECT_EQ(ErrorOf(Get(client_, order.url)),
            "unauthorized: the order expired before anybody agreed to it");
}

TEST_F(AttestApproval, ADecisionIsActedOnThoughTheClaimFailed) {
  for (const auto when : {fakes::FailWhen::kBefore, fakes::FailWhen::kAfter}) {
    const AgentOrder order = Waiting();
    Decide(order, Decision::kGranted);
    faults_.Fail("ClaimOrders", when);
    EXPECT_EQ(service_->Decided(IdOf(order)).error().code, Code::kUnavailable);
    EXPECT_EQ(StatusOfOrder(order), "processing");
    ASSERT_TRUE(service_->TakeOver().ok());
    EXPECT_EQ(StatusOfOrder(order), "valid");
  }
}

TEST_F(AttestApproval, NobodyIsAskedAboutWhatWouldBeRefused) {
  ca::RawProfile raw = fakes::RawAgentProfile();
  raw.allowed_keys = {"p384"};
  agent_profile_ = ca::Profile::Make(raw).value();
  Serve();
  const AgentOrder order = Proven();
  const auto csr = fakes::MakeCsr(key_, {kName});
  EXPECT_EQ(Problem(Finalize(client_, order.url, csr)), "400 badCSR");
  agent_profile_ = fakes::AgentProfile();
  Serve();
  faults_.Before("AskApproval", [&] { Set(ca::AgentStatus::kSuspended); });
  EXPECT_EQ(Problem(Finalize(client_, order.url, csr)), "403 unauthorized");
  EXPECT_EQ(StatusOfOrder(order), "ready");
  EXPECT_TRUE(store_.ListApprovals(true, "", 10)->empty());
}

TEST_F(AttestApproval, NobodyIsAskedAboutAKeyThatWasCompromised) {
  const AgentOrder first = Waiting();
  Decide(first, Decision::kGranted);
  ASSERT_TRUE(service_->Decided(IdOf(first)).ok());
  ASSERT_TRUE(certificates_
                  .Revoke(issuer_.issuer->id(), Issued(first).serial, ca::Reason::kKeyCompromise,
                          clock_.Now())
                  .ok());
  const AgentOrder order = Proven();
  EXPECT_EQ(Problem(Finalize(client_, order.url, fakes::MakeCsr(key_, {kName}))), "400 badCSR");
  EXPECT_EQ(StatusOfOrder(order), "ready");
  EXPECT_TRUE(store_.ListApprovals(false, "", 10)->empty());
}

TEST_F(AttestApproval, AQuestionOfWhichTheStoreSaysNothingCanBeAskedAgain) {
  const Bytes csr = fakes::MakeCsr(key_, {kName});
  const AgentOrder unasked = Proven();
  faults_.Fail("AskApproval", fakes::FailWhen::kBefore);
  EXPECT_EQ(Finalize(client_, unasked.url, csr).status, 503);
  EXPECT_EQ(Text(Finalize(client_, unasked.url, csr), "status"), "processing");
  const AgentOrder asked = Proven();
  faults_.Fail("AskApproval", fakes::FailWhen::kAfter);
  EXPECT_EQ(Finalize(client_, asked.url, csr).status, 503);
  EXPECT_EQ(Problem(Finalize(client_, asked.url, csr)), "403 orderNotReady");
  EXPECT_EQ(StatusOfOrder(asked), "processing");
  EXPECT_EQ(store_.ListApprovals(false, "", 10)->size(), 2U);
}

TEST_F(AttestApproval, ASuspensionThatRacesTheIntentIsSeen) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  const int signatures = issuer_.signer->calls();
  faults_.Before("BeginApproved", [&] { Set(ca::AgentStatus::kSuspended); });
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(ErrorOf(Get(client_, order.url)), "unauthorized: the agent acme/planner is suspended");
  EXPECT_EQ(certificates_.FindByReference(IdOf(order)).error().code, Code::kNotFound);
  EXPECT_EQ(issuer_.signer->calls(), signatures);
}

TEST_F(AttestApproval, AnIntentThatTheStoreDidNotTakeIsTakenLater) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  faults_.Fail("BeginApproved", fakes::FailWhen::kBefore);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_EQ(StatusOfOrder(order), "processing");
  EXPECT_TRUE(Settles(client_, order.url, "valid"));
  EXPECT_EQ(certificates_.List({.name = kName, .owner = {}, .after = {}})->size(), 1U);
}

TEST_F(AttestApproval, AnIntentThatWasTakenUnseenIsNotFollowedByAnother) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  const int signatures = issuer_.signer->calls();
  faults_.Fail("BeginApproved", fakes::FailWhen::kAfter);
  EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
  EXPECT_TRUE(Settles(client_, order.url, "invalid"));
  EXPECT_EQ(certificates_.FindByReference(IdOf(order))->state, ca::SerialState::kAbandoned);
  EXPECT_EQ(certificates_.List({.name = kName, .owner = {}, .after = {}})->size(), 1U);
  EXPECT_EQ(issuer_.signer->calls(), signatures);
}

TEST_F(AttestApproval, AStartDoesNotTakeASecondIntent) {
  const AgentOrder order = Waiting();
  Decide(order, Decision::kGranted);
  ca::CertificateRequest request{.key = key_.public_key()};
  request.dns_names = {kName};
  request.reference = IdOf(order);
  const auto ticket =
      issuer_.issuer->Prepare(profile_, request, ca::Serial::Random(1, random_), clock_.Now());
  ASSERT_TRUE(store_.BeginApproved(IdOf(order), *ticket, {}, clock_.Now()).ok());
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, order.url, "invalid"));
  EXPECT_EQ(certificates_.List({.name = kName, .owner = {}, .after = {}})->size(), 1U);
}

TEST_F(AttestApproval, SettlesInAgreementWithTheCertificateStore) {
  for (const char* verb : {"CompleteOrder", "Abandon", "FinishOrder"}) {
    for (const auto when : {fakes::FailWhen::kBefore, fakes::FailWhen::kAfter}) {
      const AgentOrder order = Waiting();
      Decide(order, Decision::kGranted);
      faults_.Fail("CompleteOrder", when);
      if (verb != std::string_view("CompleteOrder")) faults_.Fail(verb, when);
      EXPECT_TRUE(service_->Decided(IdOf(order)).ok());
      std::string status;
      EXPECT_TRUE(fakes::Eventually([&] {
        status = StatusOfOrder(order);
        return status == "valid" || status == "invalid";
      }));
      const auto record = certificates_.FindByReference(IdOf(order));
      EXPECT_EQ(status == "valid", record->state == ca::SerialState::kIssued) << verb;
    }
  }
}

TEST_F(AttestApproval, OfAnOrderThatAsksForNoneThereIsNone) {
  EXPECT_EQ(service_->Decided("nothing").error().code, Code::kNotFound);
  EXPECT_EQ(service_->Decided(IdOf(Order(client_))).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace agentca::acme::testing
