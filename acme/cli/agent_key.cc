#include "acme/cli/agent_key.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include "ca/openssl.h"
#include "hsm/softkey.h"

namespace agentca::cli {
namespace {

using SignaturePtr = ca::openssl::Owned<ECDSA_SIG, ECDSA_SIG_free>;

std::string_view AlgorithmName(ca::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case ca::SignatureAlgorithm::kEcdsaSha256:
      return "ES256";
    case ca::SignatureAlgorithm::kEcdsaSha384:
      return "ES384";
    case ca::SignatureAlgorithm::kEd25519:
      return "EdDSA";
    case ca::SignatureAlgorithm::kRsaPkcs1Sha256:
      break;
  }
  return "RS256";
}

// RFC 7518 §3.4: R ‖ S of the full size of the curve's order, from X.509's ECDSA-Sig-Value.
Result<Bytes> ToJwsSignature(ca::KeyType type, const Bytes& der) {
  if (type != ca::KeyType::kP256 && type != ca::KeyType::kP384) return der;
  const int size = type == ca::KeyType::kP256 ? 32 : 48;
  const auto signature = ca::openssl::Decode<SignaturePtr>(d2i_ECDSA_SIG, der);
  Bytes raw(static_cast<size_t>(2 * size));
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, size) != size) {
    return Error{Code::kInternal, "the key made a signature that is none"};
  }
  return raw;
}

}  // namespace

Result<std::unique_ptr<ca::Signer>> ReadAgentKey(const std::string& file) {
  return hsm::ReadPemKey(file);
}

Result<std::string> SignCompactJws(ca::Signer& key, std::string_view header,
                                   std::string_view payload) {
  const std::string protected_header =
      "{" + std::string(header) + "\"alg\":\"" + std::string(AlgorithmName(key.algorithm())) + "\"}";
  const std::string input =
      ToBase64Url(AsBytes(protected_header)) + "." + ToBase64Url(AsBytes(payload));
  AGENTCA_ASSIGN(const Bytes der, key.Sign(AsBytes(input)));
  AGENTCA_ASSIGN(const Bytes raw, ToJwsSignature(key.public_key().type(), der));
  return input + "." + ToBase64Url(raw);
}

}  // namespace agentca::cli
