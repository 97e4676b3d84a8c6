// What every ca::AgentRegistry does with rules and sources.
#pragma once

#include "tests/contract/agent_registry_contract.h"

namespace agentca::contract {

// Without the sources of AgentRegistry's.
class TrustRegistry : public BackendTest {
 protected:
  ca::AgentRegistry& registry() { return backend_->agents(); }
  int64_t Version() { return registry().TrustVersion().value(); }
  Words WhatHappened() {
    Words what;
    const auto events = registry().HistoryOfTrust(0, 1000).value();
    for (const auto& event : events) what.push_back(event.what);
    return what;
  }
};

TEST_P(TrustRegistry, BeginsWithNothing) {
  EXPECT_TRUE(registry().ListRules()->empty());
  EXPECT_TRUE(registry().ListSources()->empty());
  EXPECT_TRUE(registry().HistoryOfTrust(0, 10)->empty());
  EXPECT_TRUE(registry().ListAgents({})->empty());
  EXPECT_EQ(Version(), 0);
}

TEST_P(TrustRegistry, SourcesAndRulesAreListedByNameAsTheyWerePut) {
  ASSERT_OK(registry().PutSource(fakes::TokenSource("z"), ByAlice()));
  ASSERT_OK(registry().PutSource(fakes::FullSource("a"), ByAlice()));
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  EXPECT_EQ(registry().ListSources().value(),
            (std::vector{fakes::FullSource("a"), fakes::TokenSource(), fakes::TokenSource("z")}));
  ASSERT_OK(registry().PutRule(fakes::FleetRule("two"), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule("one"), ByAlice()));
  EXPECT_EQ(registry().ListRules().value(),
            (std::vector{fakes::FleetRule("one"), fakes::FleetRule("two")}));
}

TEST_P(TrustRegistry, PutReplacesAndTheVersionGrows) {
  ca::EvidenceSource source = fakes::TokenSource();
  ASSERT_OK(registry().PutSource(source, ByAlice()));
  const int64_t first = Version();
  EXPECT_GT(first, 0);
  source.issuer = "https://other.test";
  ASSERT_OK(registry().PutSource(source, ByAlice()));
  const int64_t second = Version();
  EXPECT_GT(second, first);
  EXPECT_EQ(registry().ListSources().value(), std::vector{source});

  ca::AdmissionRule rule = fakes::FleetRule();
  ASSERT_OK(registry().PutRule(rule, ByAlice()));
  rule.scopes = {};
  ASSERT_OK(registry().PutRule(rule, ByAlice()));
  EXPECT_EQ(registry().ListRules().value(), std::vector{rule});
  EXPECT_EQ(Version(), second + 2);
}

TEST_P(TrustRegistry, APutOfWhatIsThereIsNoEvent) {
  ASSERT_OK(registry().PutSource(fakes::FullSource("k8s"), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  const int64_t before = Version();
  ASSERT_OK(registry().PutSource(fakes::FullSource("k8s"), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  EXPECT_EQ(Version(), before);
  EXPECT_EQ(WhatHappened(), (Words{"source added", "rule added"}));
}

TEST_P(TrustRegistry, WhatMayNotBeSaidIsNotStored) {
  EXPECT_FAILS(Code::kMalformed, registry().PutRule(fakes::FleetRule(), ByAlice()));  // no source
  ca::EvidenceSource source = fakes::TokenSource();
  source.format = "rumour";
  EXPECT_FAILS(Code::kMalformed, registry().PutSource(source, ByAlice()));
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  ca::AdmissionRule rule = fakes::FleetRule();
  rule.claims = {};
  EXPECT_FAILS(Code::kMalformed, registry().PutRule(rule, ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  rule = fakes::FleetRule();
  rule.source = "elsewhere";
  EXPECT_FAILS(Code::kMalformed, registry().PutRule(rule, ByAlice()));
  EXPECT_EQ(registry().ListRules().value(), std::vector{fakes::FleetRule()});
  EXPECT_EQ(WhatHappened(), (Words{"source added", "rule added"}));
}

TEST_P(TrustRegistry, RemovedIsRemoved) {
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  const int64_t before = Version();
  ASSERT_OK(registry().RemoveRule("fleet", ByAlice()));
  EXPECT_EQ(Version(), before + 1);
  EXPECT_FAILS(Code::kNotFound, registry().RemoveRule("fleet", ByAlice()));
  ASSERT_OK(registry().RemoveSource("k8s", ByAlice()));
  EXPECT_EQ(Version(), before + 2);
  EXPECT_FAILS(Code::kNotFound, registry().RemoveSource("k8s", ByAlice()));
  EXPECT_TRUE(registry().ListRules()->empty());
  EXPECT_TRUE(registry().ListSources()->empty());
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  EXPECT_EQ(Version(), before + 3);
}

TEST_P(TrustRegistry, ASourceInUseStays) {
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  ASSERT_OK(registry().PutSource(fakes::FullSource(), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  ca::Agent agent = registry().AddAgent(fakes::FullAgent(), ByAlice()).value();
  const auto by_rule = registry().RemoveSource("k8s", ByAlice());
  EXPECT_FAILS(Code::kConflict, by_rule);
  EXPECT_NE(by_rule.error().detail.find("rule fleet"), std::string::npos);
  const auto by_agent = registry().RemoveSource("full", ByAlice());
  EXPECT_FAILS(Code::kConflict, by_agent);
  EXPECT_NE(by_agent.error().detail.find("agent acme/web"), std::string::npos);

  ASSERT_OK(registry().RemoveRule("fleet", ByAlice()));
  EXPECT_FAILS(Code::kConflict, registry().RemoveSource("k8s", ByAlice()));  // the agent's
  agent.evidence.pop_back();
  agent = registry().ChangeAgent(agent, ByAlice()).value();
  EXPECT_OK(registry().RemoveSource("full", ByAlice()));
  ASSERT_OK(registry().SetAgentStatus(agent.id, AgentStatus::kSuspended, "", ByAlice()));
  EXPECT_FAILS(Code::kConflict, registry().RemoveSource("k8s", ByAlice()));
  ASSERT_OK(registry().SetAgentStatus(agent.id, AgentStatus::kRetired, "", ByAlice()));
  EXPECT_OK(registry().RemoveSource("k8s", ByAlice()));
  EXPECT_EQ(registry().FindAgent(agent.id)->evidence, agent.evidence);
}

TEST_P(TrustRegistry, ASourceThatIsReplacedKeepsItsUsers) {
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  ca::EvidenceSource source = fakes::TokenSource();
  source.max_level = 1;
  ASSERT_OK(registry().PutSource(source, ByAlice()));
  EXPECT_EQ(registry().ListRules()->size(), 1U);
  EXPECT_FAILS(Code::kConflict, registry().RemoveSource("k8s", ByAlice()));
}

TEST_P(TrustRegistry, NoAgentIsLeftWithoutItsSourceHoweverTheyRace) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
    ca::Agent agent = fakes::SomeAgent("acme", "web-" + std::to_string(round));
    agent.evidence = {{"k8s", {{"sub", "web"}}}};
    std::thread remover([&] { (void)registry().RemoveSource("k8s", ByAlice()); });
    const auto added = registry().AddAgent(agent, ByAlice());
    remover.join();
    EXPECT_EQ(registry().ListSources()->size(), added.ok() ? 1U : 0U);
    if (!added.ok()) {
      EXPECT_FAILS(Code::kMalformed, added);
      continue;
    }
    ASSERT_OK(registry().SetAgentStatus(agent.id, AgentStatus::kRetired, "", ByAlice()));
  }
}

TEST_P(TrustRegistry, HistorySaysWhatChangedAndIsReadInPages) {
  ca::EvidenceSource source = fakes::TokenSource();
  ASSERT_OK(registry().PutSource(source, ByAlice()));
  source.jwks = R"({"keys":[{}]})";
  source.max_level = 3;
  ASSERT_OK(registry().PutSource(source, {"admin bob", ByAlice(Seconds(9)).at}));
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  ASSERT_OK(registry().AddAgent(fakes::SomeAgent(), ByAlice()));
  ASSERT_OK(registry().RemoveRule("fleet", ByAlice()));
  EXPECT_EQ(WhatHappened(),
            (Words{"source added", "source changed", "rule added", "rule removed"}));
  const auto events = registry().HistoryOfTrust(0, 10).value();
  EXPECT_EQ(events[1].detail, "k8s: jwks; maxLevel 4 \u2192 3");
  EXPECT_EQ(events[1].by, "admin bob");
  EXPECT_EQ(events[1].at, ByAlice(Seconds(9)).at);
  EXPECT_EQ(events[1].agent, AgentId{});
  EXPECT_NE(events[2].detail.find("fleet: source \"k8s\"; claims [kubernetes.io/namespace="),
            std::string::npos)
      << events[2].detail;
  EXPECT_EQ(events[3].detail, "fleet");
  const auto page = registry().HistoryOfTrust(events[0].sequence, 2).value();
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].sequence, events[1].sequence);
  EXPECT_EQ(Version(), events.back().sequence);
}

TEST_P(TrustRegistry, AgentsDoNotChangeTheVersionOfTrust) {
  ASSERT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
  const int64_t before = Version();
  const ca::Agent agent = registry().AddAgent(fakes::SomeAgent(), ByAlice()).value();
  ASSERT_OK(registry().SetAgentStatus(agent.id, AgentStatus::kRetired, "", ByAlice()));
  ASSERT_OK(registry().NoteAgentEvent(agent.id, "drift", "", ByAlice()));
  EXPECT_EQ(Version(), before);
}

}  // namespace agentca::contract
