#include "acme/cli/pem.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "acme/cli/files.h"

namespace agentca::cli {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<&BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;

Result<ca::PublicKey> PublicHalf(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return Error{Code::kInternal, "cannot encode a public key"};
  const Bytes spki(der, der + size);
  OPENSSL_free(der);
  return ca::PublicKey::FromSpki(spki);
}

// No prompt on the terminal when a file is encrypted: it is simply not readable.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

Result<std::vector<Bytes>> ReadCertificates(const std::filesystem::path& file) {
  AGENTCA_ASSIGN(const std::string text, ReadTextFile(file));
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<Bytes> out;
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (bio && PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    if (std::string_view(name) == PEM_STRING_X509) out.emplace_back(data, data + size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  ERR_clear_error();  // the end of the file is one
  if (out.empty()) return Error{Code::kMalformed, file.string() + ": holds no certificate"};
  return out;
}

Result<TlsKey> GenerateTlsKey() {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!key || !bio ||
      PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    ERR_clear_error();
    return Error{Code::kInternal, "cannot make a TLS key"};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  AGENTCA_ASSIGN(ca::PublicKey public_key, PublicHalf(key.get()));
  return TlsKey{std::move(public_key), Secret(Bytes(data, data + size))};
}

Result<std::string> MakeCsr(const TlsKey& key, const std::string& common_name) {
  const Error failed{Code::kInternal, "cannot make a certificate request"};
  const ByteView pem = key.pem.view();
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const KeyPtr held(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, &NoPassphrase, nullptr)
                       : nullptr);
  const std::unique_ptr<X509_REQ, Deleter<&X509_REQ_free>> request(X509_REQ_new());
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!held || !request || !out ||
      X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                 -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), held.get()) != 1 ||
      X509_REQ_sign(request.get(), held.get(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    ERR_clear_error();
    return failed;
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

bool HoldsKey(const std::filesystem::path& file, const ca::PublicKey& key) {
  const BioPtr bio(BIO_new_file(file.c_str(), "r"));
  const KeyPtr held(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr)
                        : nullptr);
  ERR_clear_error();
  if (!held) return false;
  const auto half = PublicHalf(held.get());
  return half.ok() && *half == key;
}

}  // namespace agentca::cli
