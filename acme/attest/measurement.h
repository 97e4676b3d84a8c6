// What a source demands of every piece of its evidence.
#pragma once

#include "ca/agent.h"

namespace agentca::acme::attest {

// Matches source.required: several matchers of one claim are the values that are allowed for it,
// and each claim that is named must have one of them. kBadAttestation (measurement denied) names
// the claim, what it is and what is wanted.
Status CheckRequired(const ca::EvidenceSource& source, const ca::Claims& claims);

// Whether source.required names this claim, or one below it ("measurements" for
// "measurements/boot").
bool Requires(const ca::EvidenceSource& source, std::string_view claim);

}  // namespace agentca::acme::attest
