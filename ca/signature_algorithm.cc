// Names and identifiers of the key types and signature algorithms in ca/public_key.h.
#include "ca/der.h"
#include "ca/public_key.h"

namespace agentca::ca {

std::string_view ToString(KeyType type) {
  switch (type) {
    case KeyType::kP256:
      return "p256";
    case KeyType::kP384:
      return "p384";
    case KeyType::kEd25519:
      return "ed25519";
    case KeyType::kRsa:
      break;
  }
  return "rsa";
}

Result<KeyType> KeyTypeFromString(std::string_view text) {
  for (KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa})
    if (text == ToString(type)) return type;
  return Error{Code::kMalformed, "unknown key type"};
}

ByteView AlgorithmIdentifier(SignatureAlgorithm algorithm) {
  // RFC 5758 §3.2 and RFC 8410 §3: parameters absent. RFC 4055 §5: NULL.
  static const Bytes kEcdsaSha256 = der::Sequence({der::Oid("1.2.840.10045.4.3.2")});
  static const Bytes kEcdsaSha384 = der::Sequence({der::Oid("1.2.840.10045.4.3.3")});
  static const Bytes kEd25519 = der::Sequence({der::Oid("1.3.101.112")});
  static const Bytes kRsaSha256 = der::Sequence({der::Oid("1.2.840.113549.1.1.11"), der::Null()});
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
      return kEcdsaSha256;
    case SignatureAlgorithm::kEcdsaSha384:
      return kEcdsaSha384;
    case SignatureAlgorithm::kEd25519:
      return kEd25519;
    case SignatureAlgorithm::kRsaPkcs1Sha256:
      break;
  }
  return kRsaSha256;
}

}  // namespace agentca::ca
