#include "tests/contract/agent_registry_contract.h"

#include "tests/contract/agent_history_contract.h"
#include "tests/contract/agent_trust_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, AgentRegistry, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, TrustRegistry, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableAgentRegistry, testing::ValuesIn(DurableBackends()),
                         NameOf);

}  // namespace agentca::contract
