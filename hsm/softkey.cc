#include "hsm/softkey.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "ca/base/log.h"
#include "ca/openssl.h"
#include "hsm/private_file.h"
#include "hsm/signature.h"

namespace agentca::hsm {
namespace {

using ca::openssl::PkeyPtr;
using BioPtr = ca::openssl::Owned<BIO, BIO_free_all>;

class SoftKey final : public ca::Signer {
 public:
  SoftKey(PkeyPtr key, ca::PublicKey public_key)
      : key_(std::move(key)),
        public_key_(std::move(public_key)),
        algorithm_(AlgorithmOf(public_key_.type())) {}

  const ca::PublicKey& public_key() const override { return public_key_; }
  ca::SignatureAlgorithm algorithm() const override { return algorithm_; }
  Result<Bytes> Sign(ByteView message) override {
    return SignWith(key_.get(), algorithm_, message);
  }

 private:
  const PkeyPtr key_;
  const ca::PublicKey public_key_;
  const ca::SignatureAlgorithm algorithm_;
};

Result<std::unique_ptr<ca::Signer>> FromKey(PkeyPtr key) {
  const Bytes spki = ca::openssl::Encode(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
  AGENTCA_ASSIGN(ca::PublicKey public_key, ca::PublicKey::FromSpki(spki));
  return std::unique_ptr<ca::Signer>(
      std::make_unique<SoftKey>(std::move(key), std::move(public_key)));
}

Result<PkeyPtr> Generate(CaKeyType type) {
  EVP_PKEY* key = nullptr;
  switch (type) {
    case CaKeyType::kP256:
      key = EVP_EC_gen("P-256");
      break;
    case CaKeyType::kP384:
      key = EVP_EC_gen("P-384");
      break;
    case CaKeyType::kRsa3072:
      key = EVP_RSA_gen(3072);
      break;
  }
  if (key == nullptr)
    return Error{Code::kInternal, "no key generated: " + ca::openssl::LastError()};
  return PkeyPtr(key);
}

// A key with a passphrase is refused, not asked for at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

Result<std::unique_ptr<ca::Signer>> ReadPemKey(const std::filesystem::path& pem) {
  const BioPtr file(BIO_new_file(pem.c_str(), "r"));
  if (file == nullptr) {
    return Error{Code::kUnavailable,
                 "cannot read " + pem.string() + ": " + ca::openssl::LastError()};
  }
  PkeyPtr key(PEM_read_bio_PrivateKey(file.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return Error{Code::kUnavailable,
                 "no private key in " + pem.string() + ": " + ca::openssl::LastError()};
  }
  return FromKey(std::move(key));
}

Result<std::unique_ptr<ca::Signer>> OpenSoftKey(const std::filesystem::path& pem) {
  AGENTCA_ASSIGN(auto signer, ReadPemKey(pem));
  Log(Level::kWarning, "a CA key in a PEM file is for development only", {{"file", pem.native()}});
  return signer;
}

Result<std::unique_ptr<ca::Signer>> GenerateSoftKey(CaKeyType type) {
  AGENTCA_ASSIGN(PkeyPtr key, Generate(type));
  return FromKey(std::move(key));
}

Status WriteSoftKey(CaKeyType type, const std::filesystem::path& pem) {
  AGENTCA_ASSIGN(const PkeyPtr key, Generate(type));
  const BioPtr memory(BIO_new(BIO_s_secmem()));
  char* text = nullptr;
  if (memory == nullptr || PEM_write_bio_PKCS8PrivateKey(memory.get(), key.get(), nullptr, nullptr,
                                                         0, nullptr, nullptr) != 1) {
    return Error{Code::kInternal, "cannot encode the key: " + ca::openssl::LastError()};
  }
  const long size = BIO_get_mem_data(memory.get(), &text);
  return CreatePrivateFile(pem, AsBytes(std::string_view(text, static_cast<size_t>(size))));
}

}  // namespace agentca::hsm
