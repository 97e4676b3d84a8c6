// What is particular to agents in memory: transactions of another store.
#include "storage/memory_agents.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/contract/backends.h"
#include "tests/fakes/agents.h"

namespace agentca::storage {
namespace {

using contract::FailsWith;
using contract::IsOk;
using fakes::ByAlice;

TEST(MemoryAgents, StandStillWhileTheyAreHeld) {
  MemoryAgents agents;
  const ca::Agent agent = fakes::SomeAgent();
  std::future<Result<ca::Agent>> suspended;
  {
    MemoryAgents::Held held = agents.Hold();
    EXPECT_TRUE(FailsWith(Code::kNotFound, held.Find(agent.id)));
    suspended = std::async(std::launch::async, [&] {
      return agents.SetAgentStatus(agent.id, ca::AgentStatus::kSuspended, "", ByAlice());
    });
    // Whoever came first, the suspension finds an agent only because it waited.
    EXPECT_EQ(suspended.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    EXPECT_TRUE(IsOk(held.Admit(agent, ByAlice())));
    EXPECT_EQ(held.Find(agent.id)->status, ca::AgentStatus::kActive);
  }
  EXPECT_TRUE(IsOk(suspended.get()));
  EXPECT_EQ(agents.FindAgent(agent.id)->status, ca::AgentStatus::kSuspended);
}

TEST(MemoryAgents, AnAdmissionThatIsRefusedHasNoEffect) {
  MemoryAgents agents;
  ca::Agent agent = fakes::SomeAgent();
  agent.evidence = {{"elsewhere", {{"sub", "a"}}}};
  EXPECT_TRUE(FailsWith(Code::kMalformed, agents.Hold().Admit(agent, ByAlice())));
  EXPECT_TRUE(FailsWith(Code::kNotFound, agents.Hold().Find(agent.id)));
}

}  // namespace
}  // namespace agentca::storage
