// Agents, rules and sources as JSON columns. What cannot be read back is kInternal: the database is
// damaged. Text must be UTF-8 without NUL, which ca::CheckAgent and its like see to.
#pragma once

#include <string>
#include <string_view>

#include "ca/agent.h"

namespace agentca::storage {

// What is not a column of its own: purpose, sponsor, deployment, class, profile, scopes, evidence,
// components, parent, maxDepth.
std::string RegistrationToJson(const ca::Agent& agent);
// Sets those of `agent`.
Status RegistrationFromJson(std::string_view json, ca::Agent& agent);

std::string ToJson(const ca::AdmissionRule& rule);
Result<ca::AdmissionRule> RuleFromJson(std::string_view json);
std::string ToJson(const ca::EvidenceSource& source);
Result<ca::EvidenceSource> SourceFromJson(std::string_view json);

// Claims are strangers' text: NUL becomes "?".
std::string ToJson(const ca::Claims& claims);
Result<ca::Claims> ClaimsFromJson(std::string_view json);
std::string ToJson(const std::vector<ca::Component>& components);
Result<std::vector<ca::Component>> ComponentsFromJson(std::string_view json);

}  // namespace agentca::storage
