// DIR/policy.json ↔ ca::RawPolicy: what agents of each class must prove and what they get.
//
//   { "low": { "evidence": 1, "approval": false, "grant_reuse": "24h",
//              "lifetime": { "ephemeral": "1h", "session": "8h", "persistent": "7d" } },
//     "medium": …, "high": …, "several_high": …, "annual_hsm": …,
//     "fixed_audience": true, "fixed_audience_age": "5m", "evidence_age": "10m" }
#pragma once

#include <string>
#include <string_view>

#include "acme/cli/directory.h"
#include "ca/issuance_policy.h"

namespace agentca::cli {

// Every member must be there and no other may be. kMalformed names the member, with its row, that
// is missing, unknown, of a wrong type or refused by ca::IssuancePolicy.
Result<ca::IssuancePolicy> ParseIssuancePolicy(std::string_view json);
// The same for DIR/policy.json; the error names the file. kNotFound: there is none.
Result<ca::IssuancePolicy> ReadIssuancePolicy(const Directory& directory);

// What `init` writes: readable, one row after the other; ParseIssuancePolicy reads it back.
std::string PolicyText(const ca::RawPolicy& policy);

}  // namespace agentca::cli
