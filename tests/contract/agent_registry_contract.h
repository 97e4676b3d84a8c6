// What every ca::AgentRegistry does with agents. Their history, faults and a second user are in
// agent_history_contract.h, rules and sources in agent_trust_contract.h.
#pragma once

#include <atomic>
#include <thread>

#include "tests/contract/backends.h"
#include "tests/fakes/agents.h"
#include "tests/fakes/faulty_registry.h"

namespace agentca::contract {

using ca::AgentId;
using ca::AgentStatus;
using fakes::ByAlice;
using fakes::FailWhen;

class AgentRegistry : public BackendTest {
 protected:
  // The sources that the agents of tests/fakes/agents.h name.
  AgentRegistry() {
    EXPECT_OK(registry().PutSource(fakes::TokenSource(), ByAlice()));
    EXPECT_OK(registry().PutSource(fakes::FullSource(), ByAlice()));
  }
  ca::AgentRegistry& registry() { return backend_->agents(); }

  ca::Agent Add(const std::string& tenant = "acme", const std::string& name = "web") {
    return registry().AddAgent(fakes::SomeAgent(tenant, name), ByAlice()).value();
  }
  ca::Agent Set(const AgentId& id, AgentStatus status) {
    return registry().SetAgentStatus(id, status, "because", ByAlice()).value();
  }
  std::vector<ca::AgentEvent> History(const AgentId& id) {
    return registry().AgentHistory(id, 0, 1000).value();
  }
  std::vector<std::string> WhatHappened(const AgentId& id) {
    std::vector<std::string> what;
    for (const auto& event : History(id)) what.push_back(event.what);
    return what;
  }
  std::vector<std::string> Listed(const ca::AgentFilter& filter) {
    std::vector<std::string> names;
    const auto agents = registry().ListAgents(filter).value();
    for (const auto& agent : agents) names.push_back(agent.id.ToString());
    return names;
  }
  // Runs `work(i)` on `count` threads at once.
  template <class Work>
  static void Together(size_t count, const Work& work) {
    std::atomic<size_t> ready = 0;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        ++ready;
        while (ready < count) std::this_thread::yield();
        work(i);
      });
    }
    for (std::thread& each : threads) each.join();
  }
};

using Words = std::vector<std::string>;

inline void ExpectSame(const ca::Agent& a, const ca::Agent& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.purpose, b.purpose);
  EXPECT_EQ(a.sponsor, b.sponsor);
  EXPECT_EQ(a.deployment, b.deployment);
  EXPECT_EQ(a.agent_class, b.agent_class);
  EXPECT_EQ(a.profile, b.profile);
  EXPECT_EQ(a.scopes, b.scopes);
  EXPECT_EQ(a.evidence, b.evidence);
  EXPECT_EQ(a.components, b.components);
  EXPECT_EQ(a.parent, b.parent);
  EXPECT_EQ(a.max_depth, b.max_depth);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.admitted_by, b.admitted_by);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.changed_at, b.changed_at);
}

// ---- Adding and finding ------------------------------------------------------------------------

TEST_P(AgentRegistry, AnAgentIsFoundAsItWasAdded) {
  const ca::Agent added = registry().AddAgent(fakes::FullAgent(), ByAlice()).value();
  ca::Agent expected = fakes::FullAgent();
  expected.version = 1;
  expected.created_at = expected.changed_at = ByAlice().at;
  ExpectSame(added, expected);
  ExpectSame(registry().FindAgent(added.id).value(), expected);
  ExpectSame(registry().ListAgents({}).value().at(0), expected);
  EXPECT_FAILS(Code::kNotFound, registry().FindAgent({"acme", "db"}));
  EXPECT_FAILS(Code::kNotFound, registry().FindAgent({"web", "acme"}));
  EXPECT_FAILS(Code::kNotFound, registry().FindAgent({}));
}

TEST_P(AgentRegistry, StatusVersionAndTimesAreTheRegistrys) {
  ca::Agent agent = fakes::SomeAgent();
  agent.status = AgentStatus::kRetired;
  agent.version = 77;
  agent.admitted_by = "somebody";
  agent.created_at = agent.changed_at = Time(Seconds(1));
  const ca::Agent added = registry().AddAgent(agent, ByAlice()).value();
  EXPECT_EQ(added.status, AgentStatus::kActive);
  EXPECT_EQ(added.version, 1);
  EXPECT_EQ(added.admitted_by, "");
  EXPECT_EQ(added.created_at, ByAlice().at);
  EXPECT_EQ(added.changed_at, ByAlice().at);
  ExpectSame(registry().FindAgent(agent.id).value(), added);
}

TEST_P(AgentRegistry, AnAgentIsAddedOnce) {
  const ca::Agent first = Add();
  EXPECT_FAILS(Code::kConflict, registry().AddAgent(fakes::FullAgent(), ByAlice()));
  (void)Set(first.id, AgentStatus::kRetired);
  EXPECT_FAILS(Code::kConflict, registry().AddAgent(fakes::FullAgent(), ByAlice()));
  EXPECT_EQ(registry().FindAgent(first.id)->sponsor, first.sponsor);
  EXPECT_EQ(WhatHappened(first.id), (Words{"added", "retired"}));
}

TEST_P(AgentRegistry, WhatMayNotBeSaidIsNotStored) {
  ca::Agent nobody = fakes::SomeAgent();
  nobody.sponsor = "";
  EXPECT_FAILS(Code::kMalformed, registry().AddAgent(nobody, ByAlice()));
  EXPECT_FAILS(Code::kMalformed, registry().AdmitAgent(nobody, ByAlice()));
  ca::Agent unknown = fakes::SomeAgent();
  unknown.evidence = {{"elsewhere", {{"sub", "a"}}}};
  const auto refused = registry().AddAgent(unknown, ByAlice());
  EXPECT_FAILS(Code::kMalformed, refused);
  EXPECT_NE(refused.error().detail.find("elsewhere"), std::string::npos);
  EXPECT_FAILS(Code::kMalformed, registry().AdmitAgent(unknown, ByAlice()));
  EXPECT_FAILS(Code::kNotFound, registry().FindAgent(nobody.id));

  ca::Agent agent = Add();
  agent.purpose = "\xff";
  EXPECT_FAILS(Code::kMalformed, registry().ChangeAgent(agent, ByAlice()));
  unknown.version = agent.version;
  EXPECT_FAILS(Code::kMalformed, registry().ChangeAgent(unknown, ByAlice()));
  EXPECT_EQ(WhatHappened(agent.id), Words{"added"});
}

// ---- Admission ---------------------------------------------------------------------------------

TEST_P(AgentRegistry, AnAdmittedAgentSaysWhichRuleAdmittedIt) {
  ca::Agent agent = fakes::SomeAgent();
  agent.admitted_by = "fleet";
  agent.evidence = {{"k8s", {{"sub", "web"}}}};
  const ca::Change change{"rule fleet", ByAlice().at};
  const ca::Agent admitted = registry().AdmitAgent(agent, change).value();
  EXPECT_EQ(admitted.admitted_by, "fleet");
  EXPECT_EQ(admitted.version, 1);
  ExpectSame(registry().FindAgent(agent.id).value(), admitted);
  const auto history = History(agent.id);
  ASSERT_EQ(history.size(), 1U);
  EXPECT_EQ(history[0].what, "admitted");
  EXPECT_EQ(history[0].by, "rule fleet");
}

TEST_P(AgentRegistry, AdmissionNeverChangesAnAgentThatIsThere) {
  const ca::Agent added = Add();
  ca::Agent other = fakes::FullAgent();
  other.admitted_by = "fleet";
  ExpectSame(registry().AdmitAgent(other, ByAlice(Seconds(5))).value(), added);
  const ca::Agent suspended = Set(added.id, AgentStatus::kSuspended);
  ExpectSame(registry().AdmitAgent(other, ByAlice(Seconds(5))).value(), suspended);
  const ca::Agent retired = Set(added.id, AgentStatus::kRetired);
  ExpectSame(registry().AdmitAgent(other, ByAlice(Seconds(5))).value(), retired);
  EXPECT_EQ(WhatHappened(added.id), (Words{"added", "suspended", "retired"}));
}

TEST_P(AgentRegistry, AFleetThatComesAtOnceIsAdmittedOnce) {
  constexpr size_t kThreads = 8;
  std::vector<int64_t> versions(kThreads);
  Together(kThreads, [&](size_t i) {
    versions[i] = registry().AdmitAgent(fakes::SomeAgent(), ByAlice())->version;
  });
  EXPECT_EQ(versions, std::vector<int64_t>(kThreads, 1));
  EXPECT_EQ(WhatHappened({"acme", "web"}), Words{"admitted"});
}

// ---- Changing ----------------------------------------------------------------------------------

TEST_P(AgentRegistry, ChangeTakesEverythingButWhatIsTheRegistrys) {
  const ca::Agent added = Add();
  ca::Agent wanted = fakes::FullAgent();
  wanted.version = added.version;
  wanted.status = AgentStatus::kRetired;
  wanted.admitted_by = "somebody";
  wanted.created_at = Time(Seconds(1));
  const ca::Agent changed = registry().ChangeAgent(wanted, ByAlice(Seconds(60))).value();
  ca::Agent expected = fakes::FullAgent();
  expected.version = 2;
  expected.created_at = added.created_at;
  expected.changed_at = ByAlice(Seconds(60)).at;
  ExpectSame(changed, expected);
  ExpectSame(registry().FindAgent(added.id).value(), expected);
}

TEST_P(AgentRegistry, ChangeNeedsTheVersionThatIsStored) {
  ca::Agent agent = Add();
  agent.purpose = "first";
  ASSERT_OK(registry().ChangeAgent(agent, ByAlice()));
  agent.purpose = "second";
  EXPECT_FAILS(Code::kConflict, registry().ChangeAgent(agent, ByAlice()));
  agent.version = 3;
  EXPECT_FAILS(Code::kConflict, registry().ChangeAgent(agent, ByAlice()));
  EXPECT_EQ(registry().FindAgent(agent.id)->purpose, "first");
  EXPECT_EQ(WhatHappened(agent.id), (Words{"added", "changed"}));
  EXPECT_FAILS(Code::kNotFound, registry().ChangeAgent(fakes::SomeAgent("acme", "db"), ByAlice()));
}

TEST_P(AgentRegistry, AChangeOfNothingIsNoEvent) {
  const ca::Agent agent = registry().AddAgent(fakes::FullAgent(), ByAlice()).value();
  ExpectSame(registry().ChangeAgent(agent, ByAlice(Seconds(60))).value(), agent);
  EXPECT_EQ(WhatHappened(agent.id), Words{"added"});
}

TEST_P(AgentRegistry, OfTwoChangesOfOneVersionExactlyOneWins) {
  const ca::Agent agent = Add();
  for (int round = 0; round < 10; ++round) {
    constexpr size_t kThreads = 4;
    ca::Agent base = registry().FindAgent(agent.id).value();
    std::vector<Result<ca::Agent>> outcomes(kThreads, Error{});
    Together(kThreads, [&](size_t i) {
      ca::Agent mine = base;
      mine.purpose = "round " + std::to_string(round) + " of " + std::to_string(i);
      outcomes[i] = registry().ChangeAgent(mine, ByAlice());
    });
    int won = 0;
    for (const auto& each : outcomes) {
      if (!each.ok()) {
        EXPECT_FAILS(Code::kConflict, each);
        continue;
      }
      ++won;
      ExpectSame(registry().FindAgent(agent.id).value(), *each);
    }
    EXPECT_EQ(won, 1);
  }
  EXPECT_EQ(registry().FindAgent(agent.id)->version, 11);
  EXPECT_EQ(WhatHappened(agent.id).size(), 11U);
}

// ---- Status ------------------------------------------------------------------------------------

TEST_P(AgentRegistry, AnAgentIsSuspendedAndResumed) {
  const AgentId id = Add().id;
  EXPECT_EQ(Set(id, AgentStatus::kSuspended).status, AgentStatus::kSuspended);
  EXPECT_EQ(registry().FindAgent(id)->status, AgentStatus::kSuspended);
  EXPECT_EQ(Set(id, AgentStatus::kActive).status, AgentStatus::kActive);
  EXPECT_EQ(registry().FindAgent(id)->version, 3);
  EXPECT_EQ(WhatHappened(id), (Words{"added", "suspended", "resumed"}));
  EXPECT_FAILS(Code::kNotFound,
               registry().SetAgentStatus({"a", "b"}, AgentStatus::kActive, "", ByAlice()));
}

TEST_P(AgentRegistry, ThePresentStatusIsNoEvent) {
  const ca::Agent agent = Add();
  ExpectSame(Set(agent.id, AgentStatus::kActive), agent);
  const ca::Agent retired = Set(agent.id, AgentStatus::kRetired);
  ExpectSame(Set(agent.id, AgentStatus::kRetired), retired);
  EXPECT_EQ(WhatHappened(agent.id), (Words{"added", "retired"}));
}

TEST_P(AgentRegistry, RetiredIsForEver) {
  for (const bool suspended : {false, true}) {
    const AgentId id = Add("acme", suspended ? "a" : "b").id;
    if (suspended) (void)Set(id, AgentStatus::kSuspended);
    ca::Agent retired = Set(id, AgentStatus::kRetired);
    for (const AgentStatus status : {AgentStatus::kActive, AgentStatus::kSuspended}) {
      EXPECT_FAILS(Code::kConflict, registry().SetAgentStatus(id, status, "", ByAlice()));
    }
    ExpectSame(registry().FindAgent(id).value(), retired);
    retired.purpose = "another";
    EXPECT_FAILS(Code::kConflict, registry().ChangeAgent(retired, ByAlice()));
  }
}

TEST_P(AgentRegistry, AChangeThatWasPreparedBeforeASuspensionIsRefused) {
  ca::Agent agent = Add();
  (void)Set(agent.id, AgentStatus::kSuspended);
  agent.purpose = "another";
  EXPECT_FAILS(Code::kConflict, registry().ChangeAgent(agent, ByAlice()));
  EXPECT_EQ(registry().FindAgent(agent.id)->status, AgentStatus::kSuspended);
}

// ---- Listing -----------------------------------------------------------------------------------

TEST_P(AgentRegistry, AgentsAreListedByTenantAndNameWhateverTheOrderTheyCame) {
  for (const auto& [tenant, name] : std::vector<std::pair<const char*, const char*>>{
           {"b", "x"}, {"a", "z"}, {"a-1", "a"}, {"a", "b"}, {"a", "a1"}, {"a", "a-1"}}) {
    (void)Add(tenant, name);
  }
  const Words all{"a/a-1", "a/a1", "a/b", "a/z", "a-1/a", "b/x"};
  EXPECT_EQ(Listed({}), all);
  for (size_t limit = 1; limit <= all.size() + 1; ++limit) {
    Words seen;
    ca::AgentFilter filter;
    filter.limit = limit;
    for (Words page = Listed(filter); !page.empty(); page = Listed(filter)) {
      ASSERT_LE(seen.size(), all.size());
      EXPECT_LE(page.size(), limit);
      seen.insert(seen.end(), page.begin(), page.end());
      filter.after = page.back();
    }
    EXPECT_EQ(seen, all) << limit;
  }
  EXPECT_EQ(Listed({.limit = 0}), Words{});
}

TEST_P(AgentRegistry, ListingFiltersByTenantAndStatus) {
  for (const char* tenant : {"a", "b", "c"}) {
    for (const char* name : {"one", "two", "three"}) (void)Add(tenant, name);
    (void)Set({tenant, "two"}, AgentStatus::kSuspended);
  }
  (void)Set({"b", "one"}, AgentStatus::kRetired);
  EXPECT_EQ(Listed({.tenant = "b"}), (Words{"b/one", "b/three", "b/two"}));
  EXPECT_EQ(Listed({.tenant = "nobody"}), Words{});
  EXPECT_EQ(Listed({.status = AgentStatus::kSuspended}), (Words{"a/two", "b/two", "c/two"}));
  EXPECT_EQ(Listed({.tenant = "b", .status = AgentStatus::kActive}), Words{"b/three"});
  EXPECT_EQ(Listed({.status = AgentStatus::kRetired}), Words{"b/one"});

  EXPECT_EQ(Listed({.tenant = "b", .after = "b/one"}), (Words{"b/three", "b/two"}));
  EXPECT_EQ(Listed({.tenant = "b", .after = "a/zzz"}), (Words{"b/one", "b/three", "b/two"}));
  EXPECT_EQ(Listed({.tenant = "b", .after = "c/aaa"}), Words{});
  EXPECT_EQ(Listed({.tenant = "b", .limit = 1}), Words{"b/one"});
  EXPECT_EQ(Listed({.status = AgentStatus::kSuspended, .after = "a/two"}),
            (Words{"b/two", "c/two"}));
  EXPECT_EQ(Listed({.status = AgentStatus::kSuspended, .after = "a/two", .limit = 1}),
            Words{"b/two"});
  EXPECT_EQ(Listed({.tenant = "c", .status = AgentStatus::kActive, .after = "c/one"}),
            Words{"c/three"});
  EXPECT_FAILS(Code::kMalformed, registry().ListAgents({.after = "nonsense"}));
}

TEST_P(AgentRegistry, ACursorNeedNotBeAnAgent) {
  (void)Add("a", "b");
  EXPECT_EQ(Listed({.after = "a/a"}), Words{"a/b"});
  EXPECT_EQ(Listed({.after = "a/c"}), Words{});
}

}  // namespace agentca::contract
