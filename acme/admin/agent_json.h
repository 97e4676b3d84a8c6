// Agents, classes and their history as JSON, in both directions: the admin API and its clients read
// and write the same shapes.
//
// Agent: {"tenant","name","purpose","sponsor","deployment",
//   "class":{"access","decision","risk","lifespan"},"profile","scopes":[…],
//   "evidence":[{"source":"…","claims":{"claim":"pattern",…}}],
//   "components":[{"kind","hashAlgorithm","digest"(hex),"basis"}],
//   "parent","maxDepth","status","admittedBy","version","createdAt","changedAt"}
// Event: {"sequence","agent"(TENANT/NAME),"at","by","what","detail"}
//
// Readers are strict: kMalformed names the member that is unknown, missing or wrong. What only the
// domain can judge (labels, lengths) is ca::CheckAgent's.
#pragma once

#include <string>
#include <vector>

#include "acme/json.h"
#include "ca/agent.h"
#include "ca/agent_registry.h"

namespace agentca::acme::admin {

void WriteAgent(JsonWriter& json, const ca::Agent& agent);
Result<ca::Agent> ReadAgent(const JsonValue& value);

void WriteClass(JsonWriter& json, const ca::AgentClass& agent_class);
// All four members: what a class is silent about would be taken for low.
Result<ca::AgentClass> ReadClass(const JsonValue& value);

// {"claim":"pattern",…}
void WriteMatchers(JsonWriter& json, const std::vector<ca::ClaimMatcher>& matchers);
Result<std::vector<ca::ClaimMatcher>> ReadMatchers(const JsonValue& value);

void WriteComponents(JsonWriter& json, const std::vector<ca::Component>& components);

void WriteEvent(JsonWriter& json, const ca::AgentEvent& event);
Result<ca::AgentEvent> ReadEvent(const JsonValue& value);

}  // namespace agentca::acme::admin
