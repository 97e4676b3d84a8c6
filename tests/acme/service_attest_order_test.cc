// newOrder for names in the agents zone.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestOrder : public AttestTest {
 protected:
  std::string Ordering(const std::vector<std::string>& names) {
    const auto response = NewOrder(client_, names);
    return Problem(response) + ": " + Text(response, "detail");
  }
  Client client_ = Register();
};

TEST_F(AttestOrder, OffersAttestationAndADns01ThatTheCaAnswersItself) {
  Enrol();
  const AgentOrder order = Order(client_);
  const auto authorization = Get(client_, order.authorization);
  const auto document = JsonDocument::Parse(authorization.body);
  const auto challenges = document->root().Find("challenges")->elements();
  ASSERT_EQ(challenges.size(), 2U);
  EXPECT_EQ(challenges[0].String("type").value(), "agent-attest-01");
  EXPECT_EQ(challenges[1].String("type").value(), "dns-01");
  EXPECT_FALSE(challenges[1].Find("audience").has_value());
}

TEST_F(AttestOrder, TellsInFlatMembersWhatTheEvidenceMustCover) {
  Enrol(Class(ca::Degree::kHigh));
  const AgentOrder order = Order(client_);
  const auto challenge = Get(client_, order.challenge);
  EXPECT_EQ(Text(challenge, "audience"), order.challenge);
  EXPECT_EQ(Text(challenge, "url"), order.challenge);
  EXPECT_EQ(Text(challenge, "drop"), order.drop);
  EXPECT_EQ(Text(challenge, "keyBinding"), "required");
  EXPECT_EQ(Texts(challenge, "formats"), (std::vector<std::string>{"jwt", "tpm"}));
  EXPECT_FALSE(Has(challenge, "value"));  // acme.sh would take it for the identifier's
}

TEST_F(AttestOrder, NamesOnlyFormatsOfSourcesThatMaySpeakForTheAgent) {
  ca::Agent agent = Enrol();
  agent.evidence = {{"k8s", {{"sub", "x"}}}};
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  const auto challenge = Get(client_, Order(client_).challenge);
  EXPECT_EQ(Texts(challenge, "formats"), (std::vector<std::string>{"jwt"}));
  EXPECT_EQ(Text(challenge, "keyBinding"), "optional");
}

TEST_F(AttestOrder, RefusesWhateverElseIsInTheZone) {
  Enrol();
  const std::string why = "400 rejectedIdentifier: ";
  for (const std::string& name : {kZone, "acme." + kZone, "a.planner.acme." + kZone, "*." + kZone,
                                  "*.acme." + kZone, "*.planner.acme." + kZone}) {
    EXPECT_EQ(Ordering({name}).find(why), 0U) << name << ": " << Ordering({name});
  }
}

TEST_F(AttestOrder, RefusesASecondNameBesideAnAgents) {
  Enrol();
  Enrol({}, "other");
  const std::string why =
      "400 rejectedIdentifier: an order for an agent has its name as the one identifier";
  EXPECT_EQ(Ordering({kName, "www.example.test"}), why);
  EXPECT_EQ(Ordering({"www.example.test", kName}), why);
  EXPECT_EQ(Ordering({kName, "other.acme." + kZone}), why);
}

TEST_F(AttestOrder, RefusesAnAgentThatNobodyKnowsAndNoRuleCouldAdmit) {
  EXPECT_EQ(Ordering({kName}).find("400 rejectedIdentifier: no such agent: acme/planner"), 0U);
  EXPECT_EQ(registry_faults_.CallsOf("AdmitAgent"), 0);
}

TEST_F(AttestOrder, RefusesSuspendedAndRetiredAgents) {
  Enrol();
  Set(ca::AgentStatus::kSuspended);
  EXPECT_EQ(Ordering({kName}), "403 unauthorized: agent acme/planner is suspended");
  Set(ca::AgentStatus::kActive);
  EXPECT_EQ(NewOrder(client_, {kName}).status, 201);
  Set(ca::AgentStatus::kRetired);
  EXPECT_EQ(Ordering({kName}), "403 unauthorized: agent acme/planner is retired");
}

TEST_F(AttestOrder, LeavesNamesOutsideTheZoneAsTheyWere) {
  fakes::TestSigner key;
  const auto certificate = Obtain(client_, {"www.example.test", "agents.example.org"}, key);
  EXPECT_EQ(certificate.dns_names.size(), 2U);
  const auto created = NewOrder(client_, {"xagents.example.test"});
  const auto authorization = Get(client_, Texts(created, "authorizations").front());
  EXPECT_EQ(authorization.body.find("agent-attest-01"), std::string::npos);
  EXPECT_NE(authorization.body.find("http-01"), std::string::npos);
}

TEST_F(AttestOrder, IsAnsweredWith503WhileTheRegistryIsAway) {
  Enrol();
  registry_faults_.Fail("FindAgent", fakes::FailWhen::kBefore);
  EXPECT_EQ(NewOrder(client_, {kName}).status, 503);
  EXPECT_EQ(NewOrder(client_, {kName}).status, 201);
}

TEST_F(AttestOrder, HonoursOrRefusesTimesByTheAgentsClass) {
  Enrol(Class(ca::Degree::kMedium));  // 4 hours
  const auto order = [&](Seconds end) {
    return Post(client_, kBase + "/acme/new-order",
                R"({"identifiers":[{"type":"dns","value":")" + kName + R"("}],"notAfter":")" +
                    ToRfc3339(clock_.Now() + end) + R"("})");
  };
  EXPECT_EQ(order(Seconds(3600)).status, 201);
  EXPECT_EQ(Problem(order(Seconds(5 * 3600))), "400 malformed");
}

}  // namespace
}  // namespace agentca::acme::testing
