// The verifiers of names in the agents zone.
#pragma once

#include <memory>
#include <string_view>

#include "acme/attestation.h"
#include "acme/verifier.h"

namespace agentca::acme {

// Does this response bring evidence? `{}` and objects without "fmt" and "evidence" refer to what
// lies at the drop.
Result<bool> BringsEvidence(std::string_view payload);

// agent-attest-01: the evidence in the response, or else what was proven at the drop.
std::unique_ptr<Verifier> MakeAgentAttest01(const Attestor& attestor,
                                            const ca::AgentNaming& naming);
// dns-01 in the zone, where this CA is the authority: the TXT value is published when evidence over
// it was verified. No query is made.
std::unique_ptr<Verifier> MakeZoneDns01();

}  // namespace agentca::acme
