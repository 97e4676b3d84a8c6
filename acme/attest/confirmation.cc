#include "acme/attest/confirmation.h"

#include <optional>
#include <string>

#include "acme/jws.h"

namespace agentca::acme::attest {
namespace {

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

}  // namespace

Result<bool> CheckConfirmation(const JsonValue& claims, const Expectation& expectation) {
  const auto confirmation = claims.Find("cnf");
  if (!confirmation) return false;
  const auto jwk = confirmation->Find("jwk");
  AGENTCA_ASSIGN(const auto thumbprint, confirmation->OptionalString("jkt"));
  // RFC 7800 §3.1: "at most one" key is represented.
  if (jwk.has_value() == thumbprint.has_value()) {
    return Malformed("claim \"cnf\" must have exactly one of \"jwk\" and \"jkt\"");
  }
  if (expectation.key == nullptr) {
    return BadAttestation(cause::kKeyMismatch,
                          "the evidence is for a key, and \"spki\" does not say which");
  }
  if (thumbprint) {
    if (*thumbprint == Thumbprint(*expectation.key)) return true;
  } else {
    const auto key = ParseJwk(*jwk);
    if (!key.ok()) return Malformed("claim \"cnf\": " + key.error().detail);
    if (*key == *expectation.key) return true;
  }
  return BadAttestation(cause::kKeyMismatch, "the evidence is for another key");
}

}  // namespace agentca::acme::attest
