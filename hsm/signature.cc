#include "hsm/signature.h"

#include "ca/openssl.h"

namespace agentca::hsm {
namespace {

const EVP_MD* DigestOf(ca::SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case ca::SignatureAlgorithm::kEcdsaSha256:
    case ca::SignatureAlgorithm::kRsaPkcs1Sha256:
      return EVP_sha256();
    case ca::SignatureAlgorithm::kEcdsaSha384:
      return EVP_sha384();
    case ca::SignatureAlgorithm::kEd25519:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

ca::SignatureAlgorithm AlgorithmOf(ca::KeyType type) {
  switch (type) {
    case ca::KeyType::kP256:
      return ca::SignatureAlgorithm::kEcdsaSha256;
    case ca::KeyType::kP384:
      return ca::SignatureAlgorithm::kEcdsaSha384;
    case ca::KeyType::kEd25519:
      return ca::SignatureAlgorithm::kEd25519;
    case ca::KeyType::kRsa:
      return ca::SignatureAlgorithm::kRsaPkcs1Sha256;
  }
  return ca::SignatureAlgorithm::kEcdsaSha256;
}

Result<Bytes> SignWith(EVP_PKEY* key, ca::SignatureAlgorithm algorithm, ByteView message) {
  const ca::openssl::ErrorScope errors;
  const ca::openssl::DigestContextPtr context(EVP_MD_CTX_new());
  size_t length = static_cast<size_t>(EVP_PKEY_get_size(key));
  Bytes signature(length);
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, DigestOf(algorithm), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size()) !=
          1) {
    return Error{Code::kUnavailable, "the key did not sign: " + ca::openssl::LastError()};
  }
  signature.resize(length);
  return signature;
}

}  // namespace agentca::hsm
