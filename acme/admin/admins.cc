// Certificates for administrators, from their CSRs.
#include <openssl/pem.h>

#include "acme/admin/handlers.h"
#include "acme/admin/strict_json.h"
#include "ca/csr.h"
#include "ca/openssl.h"

namespace agentca::acme::admin {
namespace {

// The one block of a PEM file (RFC 7468 §7); OpenSSL reads it.
Result<Bytes> CsrFromPem(const std::string& pem) {
  const ca::openssl::ErrorScope errors;
  const ca::openssl::Owned<BIO, BIO_free> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  unsigned char* data = nullptr;
  long size = 0;
  if (!bio || PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_X509_REQ, bio.get(), nullptr,
                                 nullptr) != 1)
    return Error{Code::kMalformed, "csr: holds no CERTIFICATE REQUEST in PEM"};
  Bytes der(data, data + size);
  OPENSSL_free(data);
  return der;
}

}  // namespace

// The key is all that is taken from the CSR; who it is for is said beside it.
Result<http::Response> HandleAdminAdd(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const JsonDocument document, call.Body());
  const JsonValue body = document.root();
  AGENTCA_TRY(CheckMembers(body, {"name", "role", "csr"}));
  AGENTCA_ASSIGN(const std::string role, body.String("role"));
  AGENTCA_ASSIGN(const std::string name, body.String("name"));
  AGENTCA_ASSIGN(const Administrator administrator, MakeAdministrator(role, name));
  AGENTCA_ASSIGN(const std::string pem, body.String("csr"));
  AGENTCA_ASSIGN(const Bytes der, CsrFromPem(pem));
  AGENTCA_ASSIGN(const ca::Csr csr, ca::ParseCsr(der));
  const auto& certification = context.parts.certification;
  const ca::CertificateRequest request =
      AdminCertificateRequest(administrator, csr.key, context.parts.naming.trust_domain());
  AGENTCA_ASSIGN(
      const ca::Certificate certificate,
      Audited(
          context, call, "admin-add", administrator.ToString(), ToHex(csr.key.spki_sha256()),
          [&] { return certification.issuance.Issue(certification.profile, request, call.now); }));
  std::string chain = ToPem("CERTIFICATE", certificate.der);
  for (const std::string& link : certification.chain_pem) chain += link;
  JsonWriter json;
  json.BeginObject()
      .Member("certificate", chain)
      .Member("serial", certificate.serial.ToString())
      .Member("notAfter", ToRfc3339(certificate.not_after))
      .EndObject();
  return JsonResponse(201, std::move(json).Take());
}

}  // namespace agentca::acme::admin
