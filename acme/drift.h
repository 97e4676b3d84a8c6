// Drift: what an agent proves today, against its last certificate and its registration. It refuses
// nothing; it is noted in the agent's history and the audit log, for people to look at.
#pragma once

#include <string>
#include <vector>

#include "acme/context.h"
#include "ca/agent_identity.h"

namespace agentca::acme {

// One certificate of an agent, as far as it can drift.
struct Appearance {
  ca::AgentIdentity identity;
  std::string source;  // of the evidence; "" : not known any more
};
// In words, one entry a difference; empty: none.
std::vector<std::string> Differences(const Appearance& before, const Appearance& after);
// Components that the registration declares otherwise than the evidence proves them.
std::vector<std::string> Contradictions(const ca::Agent& agent,
                                        const std::vector<ca::Component>& proven);

// For a certificate just issued for the order. Failures are logged.
void NoteDrift(Context& context, const OrderView& view, const ca::Certificate& certificate,
               Time now);

}  // namespace agentca::acme
