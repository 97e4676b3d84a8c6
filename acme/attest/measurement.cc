#include "acme/attest/measurement.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "acme/attest/token.h"

namespace agentca::acme::attest {
namespace {

std::string Listed(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) {
    if (!out.empty()) out += " or ";
    out += Quoted(value);
  }
  return out;
}

}  // namespace

Status CheckRequired(const ca::EvidenceSource& source, const ca::Claims& claims) {
  std::map<std::string, std::vector<std::string>> allowed;
  std::map<std::string, bool> holds;
  for (const ca::ClaimMatcher& matcher : source.required) {
    allowed[matcher.claim].push_back(matcher.pattern);
    holds[matcher.claim] = holds[matcher.claim] || matcher.Matches(claims);
  }
  for (const auto& [claim, ok] : holds) {
    if (ok) continue;
    const auto found = claims.find(claim);
    const std::string is = found == claims.end() || found->second.empty()
                               ? "is not in the evidence"
                               : "is " + Quoted(found->second.front());
    return BadAttestation(cause::kMeasurementDenied, Quoted(claim) + " " + is + ", source " +
                                                         Quoted(source.name) + " wants " +
                                                         Listed(allowed[claim]));
  }
  return {};
}

bool Requires(const ca::EvidenceSource& source, std::string_view claim) {
  return std::any_of(source.required.begin(), source.required.end(),
                     [&](const ca::ClaimMatcher& matcher) {
                       const std::string_view named = matcher.claim;
                       return named == claim || named.starts_with(std::string(claim) + "/");
                     });
}

}  // namespace agentca::acme::attest
