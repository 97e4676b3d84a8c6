// JSON Web Signature: flattened as RFC 8555 §6.2 allows it, and compact as evidence has it. Always
// protected, one signature, our algorithms.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/json.h"
#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::acme {

inline constexpr std::array<std::string_view, 4> kJwsAlgorithms{"ES256", "ES384", "EdDSA", "RS256"};

// The form is checked, the key judged; nothing is proven until Verify says so.
struct Jws {
  // kMalformed; kBadSignatureAlgorithm; kBadPublicKey for a `jwk` we do not accept.
  static Result<Jws> Parse(std::string_view body);
  // kMalformed: another key, another algorithm than the key's, or a wrong signature.
  Status Verify(const ca::PublicKey& signer) const;

  ca::SignatureAlgorithm algorithm;
  std::optional<ca::PublicKey> jwk;  // exactly one of these
  std::optional<std::string> kid;    // two is set
  std::string url;
  std::optional<std::string> nonce;  // base64url, §6.5.2
  std::string payload;               // decoded; "" is that of POST-as-GET
  std::string signing_input;         // RFC 7515 §5.2: BASE64URL(protected) "." BASE64URL(payload)
  Bytes signature;                   // as in the JWS: ECDSA r ‖ s
};

// The compact serialization (RFC 7515 §7.1): tokens and statements. What it says of itself is a
// hint; nothing is proven until Verify says so, with a key that is trusted for other reasons.
struct CompactJws {
  // kMalformed: also for a header that brings or points to keys ("jwk", "jku", "x5c", "x5u"), has
  // "crit", or an unencoded payload ("b64"). kBadSignatureAlgorithm: "none", HMAC, and all that are
  // not ours.
  static Result<CompactJws> Parse(std::string_view text);
  Status Verify(const ca::PublicKey& signer) const;  // as Jws::Verify

  ca::SignatureAlgorithm algorithm;
  std::string kid;                      // "" : none
  std::string type;                     // "typ"; "" : none
  std::vector<std::string> parameters;  // names of all header parameters
  std::string payload;                  // decoded
  std::string signing_input;            // the first two parts and the dot between them
  Bytes signature;
};

// RFC 7518 §3: ECDSA is r ‖ s, and each algorithm goes with one type of key. COSE has it from there
// (RFC 9053 §2). kMalformed: another type of key, or it does not verify.
Status VerifyJoseSignature(ca::SignatureAlgorithm algorithm, ByteView signing_input,
                           const Bytes& signature, const ca::PublicKey& signer);

// The name in RFC 7518, RFC 8037: "ES256".
std::string_view JwsName(ca::SignatureAlgorithm algorithm);
// The one algorithm of ours for keys of this type.
ca::SignatureAlgorithm JwsAlgorithmFor(ca::KeyType type);

// RFC 7517, RFC 8037: kBadPublicKey unless a public key that ca::PublicKey accepts. A private key
// is refused, too: whoever sends one has lost it.
Result<ca::PublicKey> ParseJwk(const JsonValue& jwk);

// RFC 7638 with SHA-256, base64url.
std::string Thumbprint(const ca::PublicKey& key);

}  // namespace agentca::acme
