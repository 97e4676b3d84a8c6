// Orders for names in the agents zone (agent-attest-01): whose they may be, and how their
// authorizations begin.
#pragma once

#include <optional>
#include <vector>

#include "acme/context.h"
#include "acme/json.h"

namespace agentca::acme {

// The agent that an order with these identifiers is for; nullopt when no name is in the zone. An
// agent's order has exactly one identifier, its name. kRejectedIdentifier: other names of the zone,
// no such agent; kUnauthorized: the agent is not active, or a grant binds the account to another.
Result<std::optional<ca::AgentId>> AgentOrdered(const Context& context, const Account& account,
                                                const std::vector<Identifier>& identifiers);

// notBefore and notAfter as ordered, against what the agent's class allows.
Status CheckAgentValidity(const Context& context, const ca::AgentId& agent, const Order& order,
                          const Account& account, Time now);

// Completes the authorization of an agent's name: challenges, drop key; valid at once while the
// account's grant is younger than the agent's class allows.
Status PrepareAgentAuthorization(const Context& context, const ca::AgentId& agent,
                                 const Account& account, Authorization& authorization, Time now);

// The flat members of agent-attest-01: "audience", "formats", "keyBinding", "drop".
void WriteAgentChallenge(JsonWriter& json, const Context& context,
                         const Authorization& authorization, Time now);

// Made for an agent's name: it has a drop key.
inline bool IsOfAgent(const Authorization& authorization) {
  return authorization.drop_key.has_value();
}

}  // namespace agentca::acme
