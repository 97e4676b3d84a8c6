// From proven agent to certificate, and what may change in between.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestFinalize : public AttestTest {
 protected:
  // An order whose evidence is bound to `key_`.
  AgentOrder ReadyAgentOrder() {
    const AgentOrder order = Order(client_);
    EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order, &key_), &key_)));
    return order;
  }
  std::string Refused(const AgentOrder& order) { return Refused(order, key_); }
  std::string Refused(const AgentOrder& order, fakes::TestSigner& key) {
    const auto response = Finalize(client_, order.url, fakes::MakeCsr(key, {kName}));
    return response.status == 200 ? response.body
                                  : Problem(response) + ": " + Text(response, "detail");
  }
  Client client_ = Register();
  fakes::TestSigner key_;
};

TEST_F(AttestFinalize, GivesACertificateThatSaysWhoTheAgentIsAndWhatItProved) {
  Enrol(Class(ca::Degree::kHigh));
  const AgentOrder order = ReadyAgentOrder();
  const auto finalized = Finalize(client_, order.url, fakes::MakeCsr(key_, {kName}));
  EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
  const auto certificate = Issued(order);
  EXPECT_EQ(certificate.dns_names, std::vector<std::string>{kName});
  EXPECT_EQ(certificate.key, key_.public_key());
  EXPECT_EQ(certificate.not_after - certificate.not_before + Seconds(1), Seconds(3600));
  const std::string der(AsText(certificate.der));
  EXPECT_NE(der.find("spiffe://example.test/t/acme/a/planner"), std::string::npos);
  const auto identity = IdentityOf(certificate);
  EXPECT_EQ(identity.agent, "planner");
  EXPECT_EQ(identity.tenant, "acme");
  EXPECT_EQ(identity.sponsor, "Ada Lovelace");
  EXPECT_EQ(identity.attestation.format, "jwt");
  EXPECT_EQ(identity.attestation.level, 3);
  EXPECT_TRUE(identity.attestation.key_bound);
  EXPECT_EQ(identity.attestation.verified_at, clock_.Now());
  const auto records = Attestations();
  EXPECT_EQ(identity.attestation.evidence_hash, ToBytes(records.front().attestation.evidence_hash));
}

TEST_F(AttestFinalize, TheCsrMustHaveTheAttestedKey) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  fakes::TestSigner other;
  const std::string refused = Refused(order, other);
  EXPECT_EQ(refused.find("400 badCSR: the CSR's key"), 0U) << refused;
  EXPECT_NE(refused.find(ToHex(key_.public_key().spki_sha256())), std::string::npos);
  EXPECT_EQ(Text(Get(client_, order.url), "status"), "ready");
  EXPECT_NE(Refused(order).find("\"valid\""), std::string::npos);
}

TEST_F(AttestFinalize, WithoutABoundKeyAnyOfTheClientsWillDo) {
  Enrol(Class(ca::Degree::kMedium));
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  EXPECT_NE(Refused(order).find("\"valid\""), std::string::npos);
  EXPECT_FALSE(IdentityOf(Issued(order)).attestation.key_bound);
}

TEST_F(AttestFinalize, ADroppedKeyBindsTheCertificateToo) {
  Enrol(Class(ca::Degree::kHigh));
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Drop(order, JwtResponse(Of(order, &key_), &key_)).status, 200);
  ASSERT_EQ(Post(client_, ChallengeUrl(order.authorization, "dns-01"), "{}").status, 200);
  ASSERT_TRUE(Settles(client_, order.url, "ready"));
  fakes::TestSigner other;
  EXPECT_EQ(Refused(order, other).find("400 badCSR"), 0U);
  EXPECT_NE(Refused(order).find("\"valid\""), std::string::npos);
}

TEST_F(AttestFinalize, AnAgentSuspendedAfterItsEvidenceGetsNothing) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  Set(ca::AgentStatus::kSuspended);
  EXPECT_EQ(Refused(order), "403 unauthorized: agent acme/planner is suspended");
  Set(ca::AgentStatus::kRetired);
  EXPECT_EQ(Refused(order), "403 unauthorized: agent acme/planner is retired");
}

TEST_F(AttestFinalize, AChangedRegistrationNeedsANewOrder) {
  ca::Agent agent = Enrol();
  const AgentOrder order = ReadyAgentOrder();
  agent.purpose = "something else";
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  EXPECT_EQ(Refused(order).find("403 unauthorized: "), 0U);
  const AgentOrder renewed = ReadyAgentOrder();
  EXPECT_NE(Refused(renewed).find("\"valid\""), std::string::npos);
}

TEST_F(AttestFinalize, AHigherClassIsAskedForAtOnce) {
  ca::Agent agent = Enrol();
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  agent.agent_class = Class(ca::Degree::kHigh);
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  EXPECT_NE(Refused(order).find("needs evidence of level 3; this is of level 2"),
            std::string::npos);
}

TEST_F(AttestFinalize, ThePolicyOfTodayCounts) {
  Enrol(Class(ca::Degree::kMedium));
  const AgentOrder order = ReadyAgentOrder();  // level 3
  raw_policy_.medium.level = raw_policy_.high.level = raw_policy_.several_high.level = 4;
  raw_policy_.medium.grant_reuse = Seconds(0);
  Serve();
  EXPECT_NE(Refused(order).find("needs evidence of level 4; this is of level 3"),
            std::string::npos);
}

TEST_F(AttestFinalize, ASourceThatLostItsSayLosesWhatItSaid) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  auto source = Source("k8s");
  source.tenant = "globex";
  Put(source);
  EXPECT_EQ(Refused(order),
            "403 unauthorized: source \"k8s\" may no longer speak for agent acme/planner");
}

TEST_F(AttestFinalize, OldEvidenceNeedsANewOrder) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  const AgentOrder in_time = ReadyAgentOrder();
  clock_.Advance(raw_policy_.evidence_age - Seconds(1));
  EXPECT_NE(Refused(in_time).find("\"valid\""), std::string::npos);
  clock_.Advance(Seconds(1));
  EXPECT_EQ(Refused(order), "403 unauthorized: the evidence is too old; make a new order");
}

TEST_F(AttestFinalize, ADeactivatedAccountFinalizesNothing) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  ASSERT_TRUE(store_.DeactivateAccount(client_.kid.substr((kBase + "/acme/account/").size())).ok());
  EXPECT_NE(Refused(order).substr(0, 3), "200");
  EXPECT_EQ(certificates_.FindByReference(IdOf(order)).error().code, Code::kNotFound);
}

TEST_F(AttestFinalize, ASuspensionThatRacesTheSignatureRevokesItsSerial) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  // Between the guard and the certificate: as a suspension from elsewhere would.
  issuer_.signer->OnSign([&] { Set(ca::AgentStatus::kSuspended); });
  const auto finalized = Finalize(client_, order.url, fakes::MakeCsr(key_, {kName}));
  EXPECT_EQ(Text(finalized, "status"), "invalid");
  EXPECT_EQ(ErrorOf(finalized), "unauthorized: the agent acme/planner is suspended");
  const auto record = certificates_.FindByReference(IdOf(order));
  EXPECT_EQ(record->state, ca::SerialState::kAbandoned);
  EXPECT_TRUE(record->revocation.has_value());
  EXPECT_TRUE(record->der.empty());
}

TEST_F(AttestFinalize, ASuspensionBeforeTheClientHasTheCertificateRevokesIt) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  faults_.After("CompleteOrder", [&] { Set(ca::AgentStatus::kSuspended); });
  EXPECT_NE(Refused(order).find("\"valid\""), std::string::npos);
  EXPECT_TRUE(IsRevoked(Issued(order)));
  EXPECT_EQ(revocations_, 1);
}

TEST_F(AttestFinalize, WhatTheGuardRefusesLeavesTheOrderReadyAndRecordsNothing) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  const int signatures = issuer_.signer->calls();
  // Between the look at the registration and the transaction that begins.
  faults_.Before("BeginFinalize", [&] { Set(ca::AgentStatus::kSuspended); });
  EXPECT_EQ(Refused(order), "403 unauthorized: the agent acme/planner is suspended");
  EXPECT_EQ(Text(Get(client_, order.url), "status"), "ready");
  EXPECT_EQ(certificates_.FindByReference(IdOf(order)).error().code, Code::kNotFound);
  EXPECT_EQ(issuer_.signer->calls(), signatures);
}

TEST_F(AttestFinalize, AKeyThatTheProfileDoesNotAllowLeavesTheOrderReady) {
  Enrol();
  ca::RawProfile raw = fakes::RawAgentProfile();
  raw.allowed_keys = {"p384"};
  agent_profile_ = ca::Profile::Make(raw).value();
  Serve();
  const AgentOrder order = ReadyAgentOrder();
  EXPECT_EQ(Refused(order).find("400 badCSR"), 0U);
  EXPECT_EQ(Text(Get(client_, order.url), "status"), "ready");
  EXPECT_EQ(certificates_.FindByReference(IdOf(order)).error().code, Code::kNotFound);
}

TEST_F(AttestFinalize, TheSecondLookInsistsUntilTheRegistryIsBack) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  faults_.After("CompleteOrder", [&] {
    Set(ca::AgentStatus::kRetired);
    registry_faults_.Fail("FindAgent", fakes::FailWhen::kBefore);
  });
  EXPECT_NE(Refused(order).find("\"valid\""), std::string::npos);
  EXPECT_TRUE(fakes::Eventually([&] { return IsRevoked(Issued(order)); }));
  EXPECT_EQ(certificates_.Find(issuer_.issuer->id(), Issued(order).serial)->revocation->reason,
            ca::Reason::kCessationOfOperation);
}

TEST_F(AttestFinalize, ANameOrderedBeforeThereWasAZoneIsNobodys) {
  Enrol();
  agents_ = nullptr;
  Restart();
  const std::string order = ReadyOrder(client_, {kName});
  Serve();
  EXPECT_EQ(Problem(Finalize(client_, order, fakes::MakeCsr(key_, {kName}))), "403 unauthorized");
}

TEST_F(AttestFinalize, AnOrderOfAnAgentEndsWhenAgentsAreNoLongerServed) {
  Enrol();
  const AgentOrder order = ReadyAgentOrder();
  agents_ = nullptr;
  Restart();
  EXPECT_EQ(Refused(order), "403 unauthorized: this CA no longer serves agents");
}

TEST_F(AttestFinalize, LifetimesAreThoseOfTheClass) {
  int made = 0;
  for (const auto lifespan :
       {ca::Lifespan::kEphemeral, ca::Lifespan::kSession, ca::Lifespan::kPersistent}) {
    const std::string name = "a" + std::to_string(++made);
    Enrol(Class(ca::Degree::kMedium, ca::Degree::kLow, lifespan), name);
    const std::string dns = name + ".acme." + kZone;
    const AgentOrder order = Order(client_, dns);
    fakes::TestSigner key;
    EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order), nullptr, "system:" + name)));
    EXPECT_EQ(Text(Finalize(client_, order.url, fakes::MakeCsr(key, {dns})), "status"), "valid");
    const auto certificate = Issued(order);
    EXPECT_EQ(certificate.not_after - certificate.not_before + Seconds(1),
              raw_policy_.medium.lifetimes[static_cast<size_t>(lifespan)]);
  }
}

}  // namespace
}  // namespace agentca::acme::testing
