// The claims of a CWT (RFC 8392) in the words of a JWT, so that one set of checks serves both.
#pragma once

#include <optional>
#include <string>

#include "ca/public_key.h"

namespace agentca::acme::attest {

struct CwtClaims {
  // A JSON object, as RFC 9711 §4 has EAT's claims in JSON: registered integer keys of claims sets
  // (at the top, and in submods) and the labels of a location become their names, `cti` becomes
  // "jti", octets become base64url, dbgstat and intuse become their words; other integer keys are
  // written in decimal, and a tag adds nothing. Without `cnf`, and without a heading that is NaN.
  std::string json;
  std::optional<ca::PublicKey> confirmed;  // `cnf` (RFC 8747 §3.2: a COSE_Key)
};

// kMalformed: not a map of claims; a registered claim under its name instead of its key, `iat` in
// floating point, or something that JSON cannot say (NaN); a `cnf` that holds no COSE_Key, or one
// that we do not accept.
Result<CwtClaims> ReadCwtClaims(ByteView payload);

}  // namespace agentca::acme::attest
