// Evidence sources and admission rules as JSON, in both directions.
//
// Source: {"name","format","tenant","issuer","jwks":{…},"jwksUrl","caPem","rootsPem",
//   "fixedAudience","maxLevel","required":{"claim":"pattern",…}}
// Rule: {"name","source","claims":{…},"tenant":"template","agent":"template","purpose","sponsor",
//   "deployment","class":{…},"scopes":[…]}
//
// Readers are strict, as in agent_json.h.
#pragma once

#include "acme/json.h"
#include "ca/agent.h"

namespace agentca::acme::admin {

void WriteSource(JsonWriter& json, const ca::EvidenceSource& source);
Result<ca::EvidenceSource> ReadSource(const JsonValue& value);

void WriteRule(JsonWriter& json, const ca::AdmissionRule& rule);
Result<ca::AdmissionRule> ReadRule(const JsonValue& value);

}  // namespace agentca::acme::admin
