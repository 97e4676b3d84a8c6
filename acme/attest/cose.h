// COSE (RFC 9052, RFC 9053): one signature over a payload, and public keys. Our algorithms, and no
// key that the message itself brings.
#pragma once

#include <optional>
#include <string>

#include "acme/attest/cbor.h"
#include "ca/public_key.h"

namespace agentca::acme::attest {

// COSE_Sign1 = [protected: bstr .cbor header_map / h'', unprotected: header_map,
//               payload: bstr / nil, signature: bstr]                        (RFC 9052 §4.2)
// Parse proves nothing; nothing is proven until Verify says so, with a key that is trusted for
// other reasons.
struct CoseSign1 {
  // Bare, or with tag 18; a CWT's tag 61 may be around that (RFC 8392 §6). kMalformed: another
  // structure, a detached payload, "crit", a header parameter in both headers or twice in one;
  // kBadSignatureAlgorithm: none in the protected header, or not ours.
  static Result<CoseSign1> Parse(ByteView octets);
  Status Verify(const ca::PublicKey& signer) const;  // kMalformed: not by this key

  // ES256, ES384, EdDSA, RS256, and their fully specified twins of RFC 9864. Each goes with one
  // type of key, as in JOSE: RFC 9053 §2.1 would allow ES256 on any curve.
  ca::SignatureAlgorithm algorithm;
  // As a JWK Set would name the key: the octets of `kid` when they are printable ASCII, base64url
  // of them otherwise; "" : none. Looked for in both headers: it is a hint.
  std::string kid;
  Bytes payload;
  Bytes signing_input;  // Sig_structure (§4.4), encoded
  Bytes signature;      // ECDSA: r ‖ s
};

// COSE_Key (RFC 9052 §7; RFC 9053 §7, RFC 8230 §4): EC2 on P-256 or P-384 with both coordinates,
// OKP Ed25519, RSA. kBadPublicKey for everything else, private keys included: whoever sends one has
// lost it.
Result<ca::PublicKey> ParseCoseKey(const CborValue& key);

}  // namespace agentca::acme::attest
