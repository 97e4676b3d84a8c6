#include "acme/attest/chain.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <ctime>

#include "ca/openssl.h"

namespace agentca::acme::attest {
namespace {

using ca::openssl::Owned;
using ca::openssl::X509Ptr;

void FreeCertificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using CertificatesPtr = Owned<STACK_OF(X509), FreeCertificates>;
using StorePtr = Owned<X509_STORE, X509_STORE_free>;
using StoreContextPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using BioPtr = Owned<BIO, BIO_free>;

constexpr size_t kMaxPem = 256 * 1024;
constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits, no SHA-1

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }
Error OutOfMemory() { return {Code::kInternal, "OpenSSL cannot verify: out of memory"}; }

X509Ptr Read(ByteView der) { return ca::openssl::Decode<X509Ptr>(d2i_X509, der); }

Error Explain(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  const std::string place =
      "certificate " + std::to_string(X509_STORE_CTX_get_error_depth(context)) + " of the chain";
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) return BadAttestation(cause::kExpired, place);
  if (error == X509_V_ERR_CERT_NOT_YET_VALID) return BadAttestation(cause::kNotYetValid, place);
  return BadAttestation(cause::kUntrustedRoot, place + ": " + X509_verify_cert_error_string(error));
}

}  // namespace

Result<std::vector<Bytes>> ParsePemCertificates(std::string_view pem) {
  if (pem.size() > kMaxPem) return Malformed("too large");
  const ca::openssl::ErrorScope errors;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
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
    if (out.size() > kMaxRoots) return Malformed("too many certificates");
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Malformed("not readable as PEM");
  }
  if (out.empty()) return Malformed("holds no certificate");
  for (const Bytes& der : out) {
    if (!Read(der)) return Malformed("a certificate cannot be read");
  }
  return out;
}

Status VerifyChain(const std::vector<Bytes>& chain, const std::vector<Bytes>& roots,
                   Purpose purpose, Time now) {
  if (chain.empty()) return Malformed("evidence needs a certificate chain (\"chain\")");
  if (chain.size() > kMaxChain) return Malformed("the certificate chain is too long");
  const ca::openssl::ErrorScope errors;
  const X509Ptr leaf = Read(chain.front());
  const CertificatesPtr others(sk_X509_new_null());
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!others || !store || !context) return OutOfMemory();
  if (!leaf) return Malformed("a certificate of the chain cannot be read");
  for (size_t i = 1; i < chain.size(); ++i) {
    X509Ptr certificate = Read(chain[i]);
    if (!certificate) return Malformed("a certificate of the chain cannot be read");
    if (sk_X509_push(others.get(), certificate.get()) <= 0) return OutOfMemory();
    (void)certificate.release();  // the stack's now
  }
  for (const Bytes& der : roots) {
    const X509Ptr root = Read(der);
    if (!root || X509_STORE_add_cert(store.get(), root.get()) != 1) return OutOfMemory();
  }
  if (X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), others.get()) != 1) {
    return OutOfMemory();
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(now.time_since_epoch().count()));
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kMaxChain));
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  if (purpose == Purpose::kClient) {
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  }
  if (X509_verify_cert(context.get()) != 1) return Explain(context.get());
  return {};
}

}  // namespace agentca::acme::attest
