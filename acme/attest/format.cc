#include "acme/attest/format.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "acme/jws.h"

namespace agentca::acme::attest {
namespace {

constexpr std::array kCauses{
    cause::kBadSignature,      cause::kClaimMismatch,   cause::kDebugMode,
    cause::kExpired,           cause::kForeignAudience, cause::kKeyMismatch,
    cause::kMeasurementDenied, cause::kNotYetValid,     cause::kReplayed,
    cause::kStaleNonce,        cause::kUnknownKey,      cause::kUntrustedRoot,
    cause::kWrongIssuer,
};

constexpr std::string_view kContext = "agent-attest-01";  // its terminating NUL is signed, too

void Append(Bytes& to, ByteView octets) { to.insert(to.end(), octets.begin(), octets.end()); }

}  // namespace

std::string TokenAudience(const Expectation& expectation) {
  return expectation.audience + "#" + ToBase64Url(BoundNonce(expectation));
}

Sha256Digest BoundNonce(const Expectation& expectation) {
  if (expectation.key == nullptr) return expectation.nonce;
  Bytes both = ToBytes(expectation.nonce);
  Append(both, expectation.key->spki_sha256());
  return Sha256(both);
}

Bytes SignedMessage(const Expectation& expectation) {
  Bytes message = ToBytes(AsBytes(kContext));
  message.push_back(0);
  Append(message, expectation.nonce);
  if (expectation.key != nullptr) Append(message, expectation.key->spki_sha256());
  return message;
}

bool VerifyPossession(const Expectation& expectation, const ca::PublicKey& key,
                      ByteView signature) {
  return key.Verify(JwsAlgorithmFor(key.type()), SignedMessage(expectation), signature);
}

Error BadAttestation(std::string_view cause, std::string detail) {
  assert(std::find(kCauses.begin(), kCauses.end(), cause) != kCauses.end());
  return {Code::kBadAttestation,
          std::string(cause) + ": " + std::move(detail),
          "",
          {Error{Code::kBadAttestation, std::string(cause)}}};
}

std::string_view CauseOf(const Error& error) {
  if (error.code != Code::kBadAttestation || error.causes.empty()) return {};
  return error.causes.front().detail;
}

}  // namespace agentca::acme::attest
