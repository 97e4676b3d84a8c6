// Fleets: agents that a rule admits at their first proof.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestAdmission : public AttestTest {
 protected:
  AttestAdmission() {
    ca::AdmissionRule rule;
    rule.name = "fleet";
    rule.source = "k8s";
    rule.claims = {{"team", "acme"}};
    rule.tenant_template = "{team}";
    rule.name_template = "{pod}";
    rule.sponsor = "Fleet Office";
    rule.agent_class = Class(ca::Degree::kMedium);
    const Status put = registry_.PutRule(rule, by_);
    EXPECT_TRUE(put.ok()) << put.error().detail;
  }
  std::string PodResponse(const AgentOrder& order, const std::string& pod,
                          const std::string& team = "acme") {
    return Response("jwt",
                    Token(attest::TokenAudience(Of(order)), "system:pod",
                          {{"pod", fakes::JsonQuoted(pod)}, {"team", fakes::JsonQuoted(team)}}),
                    {});
  }
  static std::string Dns(const std::string& pod) { return pod + ".acme." + kZone; }
  Client client_ = Register();
};

TEST_F(AttestAdmission, RegistersTheAgentWithItsFirstProof) {
  const AgentOrder order = Order(client_, Dns("worker-1"));
  EXPECT_EQ(registry_.FindAgent({"acme", "worker-1"}).error().code, Code::kNotFound);
  EXPECT_TRUE(Proves(client_, order, PodResponse(order, "worker-1")));
  const ca::Agent agent = Registered({"acme", "worker-1"});
  EXPECT_EQ(agent.admitted_by, "fleet");
  EXPECT_EQ(agent.sponsor, "Fleet Office");
  fakes::TestSigner key;
  EXPECT_EQ(Text(Finalize(client_, order.url, fakes::MakeCsr(key, {Dns("worker-1")})), "status"),
            "valid");
  EXPECT_EQ(IdentityOf(Issued(order)).sponsor, "Fleet Office");
}

TEST_F(AttestAdmission, AtADropAsWell) {
  const AgentOrder order = Order(client_, Dns("worker-2"));
  EXPECT_EQ(Drop(order, PodResponse(order, "worker-2")).status, 200);
  EXPECT_EQ(Registered({"acme", "worker-2"}).admitted_by, "fleet");
}

TEST_F(AttestAdmission, GivesOnlyTheNameThatTheClaimsMake) {
  const AgentOrder order = Order(client_, Dns("worker-1"));
  EXPECT_EQ(Fails(client_, order, PodResponse(order, "worker-2")),
            "badAttestationStatement: claim mismatch: by admission rule \"fleet\" the claims name "
            "agent acme/worker-2, not acme/worker-1");
  EXPECT_EQ(registry_.FindAgent({"acme", "worker-1"}).error().code, Code::kNotFound);
  EXPECT_EQ(registry_.FindAgent({"acme", "worker-2"}).error().code, Code::kNotFound);
}

TEST_F(AttestAdmission, NobodyElseOfTheFleetPassesForAnAdmittedAgent) {
  const AgentOrder first = Order(client_, Dns("worker-1"));
  EXPECT_TRUE(Proves(client_, first, PodResponse(first, "worker-1")));
  const AgentOrder second = Order(client_, Dns("worker-1"));
  EXPECT_EQ(Fails(client_, second, PodResponse(second, "worker-2"))
                .find("badAttestationStatement: claim mismatch: claim \"pod\" is \"worker-2\""),
            0U);
  const AgentOrder again = Order(client_, Dns("worker-1"));
  EXPECT_TRUE(Proves(client_, again, PodResponse(again, "worker-1")));
}

TEST_F(AttestAdmission, WhatARuleDoesNotWantIsNotAdmitted) {
  const AgentOrder order = Order(client_, Dns("worker-1"));
  EXPECT_EQ(Fails(client_, order, PodResponse(order, "worker-1", "globex")),
            "badAttestationStatement: claim mismatch: claim \"team\" is \"globex\", admission rule "
            "\"fleet\" wants \"acme\"");
}

TEST_F(AttestAdmission, AdmitsNobodyBelowTheLevelOfTheClass) {
  const AgentOrder order = Order(client_, Dns("worker-1"));
  const std::string response = Response("jwt",
                                        Token("https://fixed.example.test", "system:pod",
                                              {{"pod", R"("worker-1")"}, {"team", R"("acme")"}}),
                                        {});
  EXPECT_NE(Fails(client_, order, response).find("needs evidence of level 2; this is of level 1"),
            std::string::npos);
  EXPECT_EQ(registry_.FindAgent({"acme", "worker-1"}).error().code, Code::kNotFound);
}

TEST_F(AttestAdmission, AnAdministratorsRegistrationMeanwhileWins) {
  const AgentOrder order = Order(client_, Dns("worker-1"));
  hardware_->keys_away = false;
  ca::Agent agent = fakes::TestAgent();
  agent.id = {"acme", "worker-1"};
  agent.evidence = {{"lab", {{"device", "d9"}}}};
  Add(agent);
  EXPECT_EQ(Fails(client_, order, PodResponse(order, "worker-1")).find("badAttestationStatement: "),
            0U);
  EXPECT_EQ(Registered({"acme", "worker-1"}).admitted_by, "");
}

}  // namespace
}  // namespace agentca::acme::testing
