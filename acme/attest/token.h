// What the formats made of signed JSON share (RFC 7519): `jwt`, `jwt-svid`, `statement`, and EAT as
// a JWT. They differ in what they demand; how it is read and checked is here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/attest/format.h"
#include "acme/json.h"
#include "acme/jws.h"

namespace agentca::acme::attest {

// A JWS in the compact serialization whose payload is a JSON object. Parse proves nothing: claims
// may be looked at to fail early, but what they say counts only after VerifySignature.
class Token {
 public:
  // kMalformed; kBadAttestation (bad signature) for "none", HMAC and other algorithms not ours.
  static Result<Token> Parse(ByteView evidence);
  const CompactJws& jws() const { return jws_; }
  JsonValue claims() const { return claims_.root(); }  // an object
  // With the keys that `trust` has for its `kid`. kBadAttestation: unknown key, bad signature;
  // kUnavailable.
  Status VerifySignature(const Trust& trust) const;

 private:
  Token(CompactJws jws, JsonDocument claims);
  CompactJws jws_;
  JsonDocument claims_;
};

// RFC 7519 §4.1.4 to §4.1.6, with kClockLeeway: `exp` must be there and ahead, `nbf` and `iat`, if
// there, not ahead. Fractions of seconds are dropped.
Status CheckTimes(const JsonValue& claims, Time now);
// A NumericDate (RFC 7519 §2) of the years 1970 to 9999; nullopt when absent; kMalformed.
Result<std::optional<Time>> DateClaim(const JsonValue& claims, std::string_view name);

// `aud`, one or several (RFC 7519 §4.1.3); at least one, at most 64. kMalformed.
Result<std::vector<std::string>> Audiences(const JsonValue& claims);
// What the audience binds a token to.
enum class Binding : uint8_t { kNonce, kNonceAndKey };
// kBadAttestation: stale nonce (this CA, but not this challenge, nonce or key), foreign audience.
Result<Binding> MatchAudience(const std::vector<std::string>& audiences,
                              const Expectation& expectation);

// As ca::Claims describes. kMalformed: two claims get the same name that way, names over 256
// octets, more than 1024 values.
Result<ca::Claims> Flatten(const JsonValue& claims);

// "" without a `jti`; otherwise short, whatever issuer and `jti` are.
Result<std::string> ReplayIdOf(std::string_view source, const JsonValue& claims);

// The candidates for evidence that is a Token: sources of this format for which `fits`. All of them
// when it is none, so that Verify says what is wrong with it.
template <class Fits>
std::vector<std::string> CandidatesFor(std::string_view format, const EvidenceStatement& statement,
                                       const std::vector<ca::EvidenceSource>& sources, Fits fits) {
  std::vector<std::string> names;
  const auto token = Token::Parse(statement.evidence);
  for (const ca::EvidenceSource& source : sources) {
    if (source.format != format) continue;
    if (!token.ok() || fits(token->claims(), source)) names.push_back(source.name);
  }
  return names;
}

// A stranger's text for messages: quoted, printable, at most 128 octets.
std::string Quoted(std::string_view text);

}  // namespace agentca::acme::attest
