// Agents' orders across restarts and outages of the store.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestRecovery : public AttestTest {
 protected:
  AttestRecovery() { Enrol(); }
  ca::Ticket Prepare(const AgentOrder& order) {
    ca::CertificateRequest request{.key = key_.public_key()};
    request.dns_names = {kName};
    request.reference = IdOf(order);
    const auto serial = ca::Serial::Random(1, random_);
    return issuer_.issuer->Prepare(profile_, request, serial, clock_.Now()).value();
  }
  Client client_ = Register();
  fakes::TestSigner key_;
};

TEST_F(AttestRecovery, TakesUpAChallengeWithTheEvidenceThatCameWithIt) {
  hardware_->keys_away = true;
  const AgentOrder order = Order(client_);
  ASSERT_EQ(Post(client_, order.challenge, HardwareResponse(Of(order))).status, 200);
  ASSERT_TRUE(fakes::Eventually([&] { return hardware_->verified > 0; }));
  service_.reset();
  hardware_->keys_away = false;
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
  EXPECT_EQ(Attestations().front().attestation.format, "tpm");
}

TEST_F(AttestRecovery, ADropSurvivesTheProcess) {
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
  Serve();
  EXPECT_TRUE(Proves(client_, order, "{}"));
}

TEST_F(AttestRecovery, AnOrderInterruptedBeforeItsSignatureFails) {
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  ASSERT_TRUE(store_.BeginFinalize(IdOf(order), Prepare(order), {}, clock_.Now()).ok());
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, order.url, "invalid"));
}

TEST_F(AttestRecovery, ACertificateOfAnAgentSuspendedWhileTheProcessDiedIsRevoked) {
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  // The process dies after the certificate was recorded, before anything else.
  ca::Ticket ticket = Prepare(order);
  ASSERT_TRUE(store_.BeginFinalize(IdOf(order), ticket, {}, clock_.Now()).ok());
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  ASSERT_TRUE(certificates_.RecordCertificate(certificate, issuer_.issuer->id()).ok());
  Set(ca::AgentStatus::kSuspended);
  Serve();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, order.url, "valid"));
  EXPECT_TRUE(fakes::Eventually([&] { return IsRevoked(Issued(order)); }));
}

TEST_F(AttestRecovery, AGuardThatTheStoreCannotAnswerSettlesLater) {
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  faults_.Fail("BeginFinalize", fakes::FailWhen::kAfter);
  EXPECT_EQ(Finalize(client_, order.url, fakes::MakeCsr(key_, {kName})).status, 503);
  EXPECT_TRUE(Settles(client_, order.url, "invalid"));
}

TEST_F(AttestRecovery, AChallengeThatBeganUnseenIsVerifiedWithItsEvidence) {
  const AgentOrder order = Order(client_);
  faults_.Fail("BeginChallenge", fakes::FailWhen::kAfter);
  EXPECT_EQ(Post(client_, order.challenge, JwtResponse(Of(order))).status, 503);
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
}

TEST_F(AttestRecovery, AFailedDropCanBeRepeated) {
  const AgentOrder order = Order(client_);
  const std::string response = JwtResponse(Of(order));
  faults_.Fail("RecordDrop", fakes::FailWhen::kBefore);
  EXPECT_EQ(Drop(order, response).status, 503);
  EXPECT_EQ(Drop(order, response).status, 200);
  const AgentOrder second = Order(client_);
  const std::string kept = JwtResponse(Of(second));
  faults_.Fail("RecordDrop", fakes::FailWhen::kAfter);
  EXPECT_EQ(Drop(second, kept).status, 503);
  EXPECT_EQ(Drop(second, kept).status, 409);  // it lies there already
  EXPECT_TRUE(Proves(client_, second, "{}"));
}

}  // namespace
}  // namespace agentca::acme::testing
