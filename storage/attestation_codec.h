// Attestations as JSON: one column, readable with the sqlite3 program.
#pragma once

#include <string>
#include <string_view>

#include "acme/model.h"

namespace agentca::storage {

// {"tenant","agent","version","format","source","level","keyBound","key","evidenceHash","replayId",
//  "verifiedAt","claims":[["claim","value",…],…],"components":[{"kind","hash","digest","basis"},…]}
// Octets are hexadecimal, times are seconds since 1970. `admit` is not written. Text is kept as far
// as JSON can: what is no UTF-8, and NUL, become question marks.
std::string ToJson(const acme::Attestation& attestation);
Result<acme::Attestation> AttestationFromJson(std::string_view json);

}  // namespace agentca::storage
