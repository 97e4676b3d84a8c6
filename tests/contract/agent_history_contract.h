// What every ca::AgentRegistry remembers of its agents, whatever happens.
#pragma once

#include "tests/contract/agent_registry_contract.h"

namespace agentca::contract {

// ---- History -----------------------------------------------------------------------------------

TEST_P(AgentRegistry, HistorySaysWhoDidWhatWhenAndWhy) {
  ca::Agent agent = Add();
  agent.sponsor = "team two";
  agent.scopes = {"read"};
  agent.agent_class.risk = ca::Degree::kHigh;
  ASSERT_OK(registry().ChangeAgent(agent, {"admin bob", ByAlice(Seconds(60)).at}));
  ASSERT_OK(registry().SetAgentStatus(agent.id, AgentStatus::kSuspended, "stolen \"key\"\n",
                                      ByAlice(Seconds(90))));
  ASSERT_OK(registry().NoteAgentEvent(agent.id, "drift", "image changed", ByAlice(Seconds(99))));
  const auto history = History(agent.id);
  ASSERT_EQ(history.size(), 4U);
  for (size_t i = 0; i < history.size(); ++i) {
    EXPECT_EQ(history[i].agent, agent.id);
    EXPECT_GT(history[i].sequence, i == 0 ? 0 : history[i - 1].sequence);
  }
  EXPECT_EQ(history[0].by, "admin alice");
  EXPECT_EQ(history[0].at, ByAlice().at);
  EXPECT_EQ(history[0].detail,
            "class access low, decision low, risk low, ephemeral; sponsor \"team web\"");
  EXPECT_EQ(history[1].by, "admin bob");
  EXPECT_EQ(history[1].at, ByAlice(Seconds(60)).at);
  EXPECT_EQ(history[1].detail,
            "sponsor \"team web\" \u2192 \"team two\"; class access low, decision low, risk low, "
            "ephemeral \u2192 access low, decision low, risk high, ephemeral; scopes [\"read\"]");
  EXPECT_EQ(history[2].detail, "stolen \"key\"\n");
  EXPECT_EQ(history[3].what, "drift");
  EXPECT_EQ(history[3].detail, "image changed");
  EXPECT_EQ(registry().FindAgent(agent.id)->version, 3);  // a note changes nothing
}

TEST_P(AgentRegistry, HistoryIsReadInPages) {
  const AgentId id = Add().id, other = Add("acme", "db").id;
  for (int i = 0; i < 6; ++i) {
    ASSERT_OK(
        registry().NoteAgentEvent(i % 2 == 0 ? id : other, "drift", std::to_string(i), ByAlice()));
  }
  EXPECT_EQ(WhatHappened(id), (Words{"added", "drift", "drift", "drift"}));
  Words seen;
  int64_t after = 0;
  for (;;) {
    const auto page = registry().AgentHistory(id, after, 3).value();
    if (page.empty()) break;
    ASSERT_LE(seen.size(), 4U);
    EXPECT_LE(page.size(), 3U);
    for (const auto& event : page) seen.push_back(event.detail);
    after = page.back().sequence;
  }
  EXPECT_EQ((Words{seen.begin() + 1, seen.end()}), (Words{"0", "2", "4"}));
  EXPECT_TRUE(registry().AgentHistory(id, 0, 0)->empty());
  EXPECT_FAILS(Code::kNotFound, registry().AgentHistory({"a", "b"}, 0, 10));
  EXPECT_FAILS(Code::kNotFound, registry().AgentHistory({}, 0, 10));
  EXPECT_FAILS(Code::kNotFound, registry().NoteAgentEvent({"a", "b"}, "drift", "", ByAlice()));
  EXPECT_FAILS(Code::kNotFound, registry().NoteAgentEvent({}, "drift", "", ByAlice()));
}

TEST_P(AgentRegistry, ANoteThatIsSaidAgainIsOneEvent) {
  const AgentId id = Add().id, other = Add("acme", "db").id;
  const auto note = [&](const AgentId& of, const std::string& detail, const ca::Change& change) {
    ASSERT_OK(registry().NoteAgentEvent(of, "drift", detail, change));
  };
  for (int i = 0; i < 2; ++i) {
    note(id, "image", ByAlice());
    note(id, "key", ByAlice());
    note(id, "image", ByAlice(Seconds(1)));
    note(id, "image", {"admin bob", ByAlice().at});
    note(other, "image", ByAlice());
  }
  EXPECT_EQ(History(id).size(), 5U);
  EXPECT_EQ(WhatHappened(other), (Words{"added", "drift"}));
}

TEST_P(AgentRegistry, LongValuesAreOnlyNamedInTheHistory) {
  ca::Agent agent = Add();
  agent.scopes.clear();
  for (int i = 0; i < 10; ++i) agent.scopes.push_back(std::to_string(i) + std::string(200, 'x'));
  ASSERT_OK(registry().ChangeAgent(agent, ByAlice()));
  EXPECT_EQ(History(agent.id).back().detail, "scopes");
}

// ---- Faults ------------------------------------------------------------------------------------

TEST_P(AgentRegistry, WhatFailedLeavesNothingBehind) {
  fakes::FaultPlan plan;
  fakes::FaultyRegistry faulty(registry(), plan);
  ca::Agent agent = Add();
  const int64_t trust = registry().TrustVersion().value();
  plan.FailAll(Error{Code::kUnavailable, "the store is away"});
  EXPECT_FAILS(Code::kUnavailable, faulty.AddAgent(fakes::SomeAgent("a", "b"), ByAlice()));
  EXPECT_FAILS(Code::kUnavailable, faulty.AdmitAgent(fakes::SomeAgent("a", "b"), ByAlice()));
  EXPECT_FAILS(Code::kUnavailable,
               faulty.SetAgentStatus(agent.id, AgentStatus::kRetired, "", ByAlice()));
  EXPECT_FAILS(Code::kUnavailable, faulty.PutRule(fakes::FleetRule(), ByAlice()));
  EXPECT_FAILS(Code::kUnavailable, faulty.RemoveSource("k8s", ByAlice()));
  EXPECT_FAILS(Code::kNotFound, registry().FindAgent({"a", "b"}));
  EXPECT_EQ(WhatHappened(agent.id), Words{"added"});
  EXPECT_EQ(registry().TrustVersion().value(), trust);
}

// Told that it failed, a caller tries again: the second time has the effect of one.
TEST_P(AgentRegistry, WhatFailedButPersistedMayBeTriedAgain) {
  fakes::FaultPlan plan;
  fakes::FaultyRegistry faulty(registry(), plan);
  ca::Agent agent = fakes::SomeAgent();
  plan.Fail("AdmitAgent", FailWhen::kAfter);
  EXPECT_FAILS(Code::kUnavailable, faulty.AdmitAgent(agent, ByAlice()));
  agent = faulty.AdmitAgent(agent, ByAlice()).value();
  plan.Fail("AddAgent", FailWhen::kAfter);
  EXPECT_FAILS(Code::kUnavailable, faulty.AddAgent(fakes::SomeAgent("a", "b"), ByAlice()));
  EXPECT_FAILS(Code::kConflict, faulty.AddAgent(fakes::SomeAgent("a", "b"), ByAlice()));

  agent.purpose = "another";
  plan.Fail("ChangeAgent", FailWhen::kAfter);
  EXPECT_FAILS(Code::kUnavailable, faulty.ChangeAgent(agent, ByAlice()));
  EXPECT_FAILS(Code::kConflict, faulty.ChangeAgent(agent, ByAlice()));
  plan.Fail("SetAgentStatus", FailWhen::kAfter);
  for (const bool first : {true, false}) {
    const auto set = faulty.SetAgentStatus(agent.id, AgentStatus::kSuspended, "", ByAlice());
    EXPECT_EQ(set.ok(), !first);
  }
  EXPECT_EQ(WhatHappened(agent.id), (Words{"admitted", "changed", "suspended"}));
}

// ---- Durable backends --------------------------------------------------------------------------

class DurableAgentRegistry : public AgentRegistry {};

TEST_P(DurableAgentRegistry, EverythingIsThereAfterTheBackendWasOpenedAgain) {
  ca::Agent agent = registry().AddAgent(fakes::FullAgent(), ByAlice()).value();
  agent = Set(agent.id, AgentStatus::kSuspended);
  ASSERT_OK(registry().PutRule(fakes::FleetRule(), ByAlice()));
  const auto history = History(agent.id);
  const int64_t trust = registry().TrustVersion().value();
  Reopen();
  ExpectSame(registry().FindAgent(agent.id).value(), agent);
  EXPECT_EQ(WhatHappened(agent.id), (Words{"added", "suspended"}));
  EXPECT_EQ(History(agent.id).back().sequence, history.back().sequence);
  EXPECT_EQ(registry().ListRules().value(), std::vector{fakes::FleetRule()});
  EXPECT_EQ(registry().ListSources()->size(), 2U);
  EXPECT_EQ(registry().TrustVersion().value(), trust);
  (void)Set(agent.id, AgentStatus::kActive);
  EXPECT_GT(History(agent.id).back().sequence, history.back().sequence);
}

TEST_P(DurableAgentRegistry, ASecondUserOfTheBackendSeesEveryChangeAtOnce) {
  const auto opened = storage::Open(uri_, storage::OpenMode::kExisting);
  ASSERT_OK(opened);
  ca::AgentRegistry& second = (*opened)->agents();
  ca::Agent agent = Add();
  ExpectSame(second.FindAgent(agent.id).value(), agent);
  agent.purpose = "changed by the second";
  ASSERT_OK(second.ChangeAgent(agent, ByAlice()));
  EXPECT_FAILS(Code::kConflict, registry().ChangeAgent(agent, ByAlice()));
  ASSERT_OK(second.SetAgentStatus(agent.id, AgentStatus::kSuspended, "", ByAlice()));
  EXPECT_EQ(registry().FindAgent(agent.id)->status, AgentStatus::kSuspended);
  const int64_t trust = registry().TrustVersion().value();
  ASSERT_OK(second.PutRule(fakes::FleetRule(), ByAlice()));
  EXPECT_GT(registry().TrustVersion().value(), trust);
}

}  // namespace agentca::contract
