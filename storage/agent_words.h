// Registrations in words, for the history: what an auditor reads years later.
#pragma once

#include <string>

#include "ca/agent.h"

namespace agentca::storage {

std::string InWords(const ca::AgentClass& agent_class);
// What differs, as `sponsor "a" → "b"; scopes …`; "" when nothing does. Long values are only named.
std::string Difference(const ca::Agent& before, const ca::Agent& after);
std::string Difference(const ca::AdmissionRule& before, const ca::AdmissionRule& after);
std::string Difference(const ca::EvidenceSource& before, const ca::EvidenceSource& after);

}  // namespace agentca::storage
