// External Account Binding (RFC 8555 §7.3.4): the account's key, signed with the key of a grant.
#pragma once

#include <optional>
#include <string>

#include "acme/json.h"
#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::acme {

// The flattened JWS of the field "externalAccountBinding". HMAC is accepted here and nowhere else.
struct ExternalAccountBinding {
  // §7.3.4: "alg" a MAC-based algorithm (HS256, which is all that we give keys for), "kid", no
  // "nonce", "url" that of the outer JWS, the payload the account's public key. kMalformed;
  // kBadSignatureAlgorithm; kUnauthorized for another URL (§6.4).
  static Result<ExternalAccountBinding> Parse(const JsonValue& binding, std::string_view url,
                                              const ca::PublicKey& account_key);
  bool Verify(ByteView mac_key) const;  // in constant time
  // "The account object the CA returns MUST include an 'externalAccountBinding' field with the same
  // value as the field in the request."
  std::string Json() const;

  std::string kid;
  std::string protected_text, payload_text, signature_text;  // as sent
  Bytes mac;
};

}  // namespace agentca::acme
