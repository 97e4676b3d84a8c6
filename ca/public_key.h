// A subject or account public key: parsed and judged once by OpenSSL, then passed by value.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string_view>

#include "ca/base/bytes.h"

namespace agentca::ca {

enum class KeyType : uint8_t { kP256, kP384, kEd25519, kRsa };
std::string_view ToString(KeyType type);               // "p256", "p384", "ed25519", "rsa"
Result<KeyType> KeyTypeFromString(std::string_view);   // kMalformed

enum class SignatureAlgorithm : uint8_t { kEcdsaSha256, kEcdsaSha384, kEd25519, kRsaPkcs1Sha256 };
// DER AlgorithmIdentifier: RFC 5758 §3.2, RFC 8410 §3, RFC 4055 §5.
ByteView AlgorithmIdentifier(SignatureAlgorithm algorithm);

// Immutable; copies share one EVP_PKEY; thread-safe. Holds only keys that this CA accepts: P-256,
// P-384, Ed25519, RSA of 2048 to 4096 bits with odd exponent ≥ 65537 and no known weakness
// (small factors, ROCA). Anything else is kBadPublicKey, with the reason. The upper bound is for
// strangers: whoever may send a JWS chooses the key that we verify it with.
class PublicKey {
 public:
  static Result<PublicKey> FromSpki(ByteView der);
  // Big-endian affine coordinates of exactly 32 or 48 octets; refused when not on the curve.
  static Result<PublicKey> FromEcPoint(KeyType curve, ByteView x, ByteView y);
  static Result<PublicKey> FromRsa(ByteView modulus, ByteView exponent);
  static Result<PublicKey> FromEd25519(ByteView raw);

  KeyType type() const;
  int bits() const;
  const Bytes& spki() const;             // DER SubjectPublicKeyInfo in its one canonical form
  const Sha256Digest& spki_sha256() const;  // K in agent-attest-01; also this key's identity
  Bytes key_identifier() const;          // RFC 5280 §4.2.1.2 (1): SHA-1 of the subjectPublicKey bits
  EVP_PKEY* evp() const;                 // borrowed; valid as long as any copy lives

  // `signature` as X.509 carries it (ECDSA: DER). False for every mismatch, also of the type. ECDSA
  // takes either hash with either curve, as CSRs do; JWS binds them (RFC 7518 §3.4) and must check.
  bool Verify(SignatureAlgorithm algorithm, ByteView message, ByteView signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.spki() == b.spki(); }

 private:
  struct Rep;
  explicit PublicKey(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  static Result<PublicKey> Judge(EVP_PKEY* owned);
  static Result<PublicKey> Make(EVP_PKEY* owned, KeyType type, ByteView algorithm,
                                ByteView key_bits);
  std::shared_ptr<const Rep> rep_;
};

}  // namespace agentca::ca
