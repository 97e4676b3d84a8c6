#include "ca/agent_certificate.h"

#include <gtest/gtest.h>

#include "tests/fakes/test_agent.h"

namespace agentca::ca {
namespace {

const Time kNow = fakes::ManualClock().Now();

Result<CertificateRequest> Make(const Agent& agent, const AgentProof& proof,
                                const PolicyRow& row = DefaultPolicy().medium) {
  return AgentCertificateRequest(fakes::NewPublicKey(), agent, proof, fakes::TestNaming(),
                                 fakes::kTestArc, row);
}

std::vector<std::string> Texts(const Name& name) {
  std::vector<std::string> out;
  for (const NamePart& part : name)
    out.push_back(std::string(ToString(part.attribute)) + "=" + part.value);
  return out;
}

TEST(AgentCertificate, NamesTheAgentInEveryForm) {
  const CertificateRequest request = Make(fakes::TestAgent(), fakes::TestProof()).value();
  EXPECT_EQ(request.dns_names, std::vector<std::string>{"planner.acme.agents.example.test"});
  EXPECT_EQ(request.uris, std::vector<std::string>{"spiffe://example.test/t/acme/a/planner"});
  EXPECT_EQ(Texts(*request.subject),
            (std::vector<std::string>{"O=acme", "OU=prod-eu", "CN=planner.acme.agents.example.test",
                                      "serialNumber=" + InstanceOf(request.key)}));
  EXPECT_EQ(request.policies, std::vector<std::string>{"1.3.6.1.4.1.32473.1.2.3"});
  EXPECT_EQ(request.lifetime, Seconds(4 * 3600)) << "medium, session";
  EXPECT_EQ(request.agent_arc, fakes::kTestArc);
  EXPECT_EQ(
      request.extra_extensions,
      std::vector<Bytes>{EncodeAgentIdentity(fakes::kTestArc, AgentIdentityFor(fakes::TestAgent(),
                                                                               fakes::TestProof()))
                             .value()});
}

TEST(AgentCertificate, IsIssuedWithEveryTypeOfKeyAndReadBack) {
  const fakes::TestIssuer ca = fakes::MakeIssuer();
  fakes::SeededRandom random;
  for (const auto type : {fakes::TestKey::kP256, fakes::TestKey::kP384, fakes::TestKey::kEd25519,
                          fakes::TestKey::kRsa2048}) {
    auto ticket = ca.issuer->Prepare(fakes::AgentProfile(), fakes::MakeAgentRequest(type),
                                     Serial::Random(1, random), kNow);
    ASSERT_TRUE(ticket.ok()) << ticket.error().detail;
    const Certificate certificate = ca.issuer->Issue(*std::move(ticket)).value();
    EXPECT_EQ(AgentIdentityOf(certificate.der, fakes::kTestArc).value(),
              AgentIdentityFor(fakes::TestAgent(), fakes::TestProof()));
    EXPECT_EQ(certificate.not_after - certificate.not_before + Seconds(1), Seconds(4 * 3600));
  }
}

TEST(AgentCertificate, IsRefusedToThoseWhoAreNotActive) {
  Agent agent = fakes::TestAgent();
  for (const auto status : {AgentStatus::kSuspended, AgentStatus::kRetired}) {
    agent.status = status;
    const auto request = Make(agent, fakes::TestProof());
    ASSERT_FALSE(request.ok());
    EXPECT_EQ(request.error().code, Code::kUnauthorized);
    EXPECT_EQ(request.error().detail, "agent acme/planner is " + std::string(ToString(status)));
  }
}

TEST(AgentCertificate, IsRefusedForTooWeakEvidence) {
  const RawPolicy policy = DefaultPolicy();
  const auto code = [&](int level, bool bound, const PolicyRow& row) {
    const auto request = Make(fakes::TestAgent(), fakes::TestProof(level, bound), row);
    return request.ok() ? std::nullopt : std::optional(request.error().code);
  };
  EXPECT_EQ(code(1, false, policy.low), std::nullopt);
  EXPECT_EQ(code(1, false, policy.medium), Code::kUnauthorized);
  EXPECT_EQ(code(2, false, policy.medium), std::nullopt);
  EXPECT_EQ(code(2, true, policy.high), Code::kUnauthorized);
  EXPECT_EQ(code(3, false, policy.high), Code::kUnauthorized) << "not bound";
  EXPECT_EQ(code(3, true, policy.high), std::nullopt);
  EXPECT_EQ(code(3, true, policy.several_high), Code::kUnauthorized);
}

TEST(AgentCertificate, LastsAsLongAsTheRowSaysForTheLifespan) {
  Agent agent = fakes::TestAgent();
  const PolicyRow row = DefaultPolicy().high;
  for (const auto lifespan : {Lifespan::kEphemeral, Lifespan::kSession, Lifespan::kPersistent}) {
    agent.agent_class.lifespan = lifespan;
    EXPECT_EQ(Make(agent, fakes::TestProof(), row)->lifetime,
              row.lifetimes[static_cast<size_t>(lifespan)]);
  }
}

TEST(AgentCertificate, ProofReplacesWhatWasOnlyDeclared) {
  Agent agent = fakes::TestAgent();
  const Component declared_image{ComponentKind::kImage, "sha256", Bytes(32, 1), Basis::kDeclared};
  const Component other_hash{ComponentKind::kImage, "sha512", Bytes(64, 1), Basis::kDeclared};
  const Component model = agent.components[0];
  agent.components = {declared_image, model, other_hash};
  AgentProof proof = fakes::TestProof();
  proof.components = {{ComponentKind::kImage, "sha256", Bytes(32, 2), Basis::kAttested}};
  EXPECT_EQ(AgentIdentityFor(agent, proof).components,
            (std::vector<Component>{proof.components[0], model, other_hash}));
}

TEST(AgentCertificate, AlongDeploymentIsCutInTheSubjectAlone) {
  Agent agent = fakes::TestAgent();
  const auto unit = [&](std::string deployment) {
    agent.deployment = std::move(deployment);
    const Name subject = SubjectOf(agent, "a.test", "");
    EXPECT_TRUE(EncodeName(subject).ok());
    return subject.size() == 3 ? subject[1].value : "";
  };
  EXPECT_EQ(unit(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(unit(std::string(65, 'x')), std::string(63, 'x') + "…");
  std::string umlauts, cut;
  for (int i = 0; i < 100; ++i) umlauts += "ü";
  for (int i = 0; i < 63; ++i) cut += "ü";
  EXPECT_EQ(unit(umlauts), cut + "…") << "characters, not octets";
  EXPECT_EQ(AgentIdentityFor(agent, fakes::TestProof()).deployment, umlauts);
  agent.deployment.clear();
  EXPECT_EQ(Texts(SubjectOf(agent, "a.test", "7")),
            (std::vector<std::string>{"O=acme", "CN=a.test", "serialNumber=7"}));
}

TEST(AgentCertificate, ANameThatNoCommonNameHoldsIsLeftOut) {
  EXPECT_EQ(SubjectOf(fakes::TestAgent(), std::string(64, 'a'), "7").size(), 4U);
  EXPECT_EQ(SubjectOf(fakes::TestAgent(), std::string(65, 'a'), "7").size(), 3U);
}

TEST(AgentCertificate, InstancesThatX520CannotHoldAreRefused) {
  EXPECT_FALSE(EncodeName(SubjectOf(fakes::TestAgent(), "a.test", std::string(65, '1'))).ok());
  EXPECT_FALSE(EncodeName(SubjectOf(fakes::TestAgent(), "a.test", "a_b")).ok()) << "not PrintableString";
  EXPECT_NE(InstanceOf(fakes::NewPublicKey()), InstanceOf(fakes::NewPublicKey()));
  EXPECT_EQ(InstanceOf(fakes::NewPublicKey()).size(), 16U);
}

TEST(AgentCertificate, RefusesWhatCannotBeWritten) {
  Agent agent = fakes::TestAgent();
  agent.sponsor = "\xff";
  EXPECT_EQ(Make(agent, fakes::TestProof()).error().code, Code::kMalformed);
  agent = fakes::TestAgent();
  AgentProof proof = fakes::TestProof();
  proof.attested.evidence_hash.clear();
  EXPECT_EQ(Make(agent, proof).error().code, Code::kMalformed);
  EXPECT_EQ(AgentCertificateRequest(fakes::NewPublicKey(), agent, fakes::TestProof(),
                                    AgentNaming("agents.test", "EXAMPLE"), fakes::kTestArc,
                                    DefaultPolicy().low)
                .error()
                .code,
            Code::kMalformed);
}

}  // namespace
}  // namespace agentca::ca
