// What serve needs for agents, from DIR and the configuration: profiles, policy, formats, trust.
#pragma once

#include <memory>

#include "acme/agents.h"
#include "acme/challenge/challenges.h"
#include "acme/cli/config.h"

namespace agentca::cli {

// Null, with a line in the log, for a directory that was made before there were agents: it has no
// policy.json. `registry` and `network.resolver` outlive it. kMalformed names the file.
Result<std::shared_ptr<const acme::Agents>> OpenAgents(const Config& config,
                                                       ca::AgentRegistry& registry,
                                                       const acme::ValidationNetwork& network);

}  // namespace agentca::cli
