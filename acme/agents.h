// What serving AI agents (agent-attest-01) needs beside the rest of an acme::Authority.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "acme/attest/format.h"
#include "acme/attest/trust.h"
#include "ca/agent.h"
#include "ca/agent_identity.h"
#include "ca/agent_registry.h"
#include "ca/issuance_policy.h"
#include "ca/profile.h"

namespace agentca::acme {

// The references outlive it.
struct Agents {
  ca::AgentRegistry& registry;
  attest::TrustBook& trust;
  std::vector<std::unique_ptr<attest::Format>> formats;  // attest::AllFormats()
  ca::AgentNaming naming;
  ca::IssuancePolicy policy;
  std::string arc{ca::kDefaultAgentArc};
  const ca::Profile& profile;     // "agent": its lifetime is the upper bound of every class
  const ca::Profile* annual_hsm;  // for agents of the profile of this name; null: none of these
};

}  // namespace agentca::acme
