// The `cnf` claim of signed JSON: which key the evidence is for.
#pragma once

#include "acme/attest/format.h"
#include "acme/json.h"

namespace agentca::acme::attest {

// RFC 7800 §3: {"jwk": …} the certificate's key, or {"jkt": "…"} its RFC 7638 thumbprint (RFC 9449
// §6.1). False: there is no `cnf`. kMalformed: it holds neither or both; kBadAttestation (key
// mismatch): another key, or none is to be bound.
Result<bool> CheckConfirmation(const JsonValue& claims, const Expectation& expectation);

}  // namespace agentca::acme::attest
