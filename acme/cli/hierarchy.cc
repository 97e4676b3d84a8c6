#include "acme/cli/hierarchy.h"

#include "acme/cli/pem.h"

namespace agentca::cli {

std::string CaIdentity::Pem() const { return ToPem("CERTIFICATE", certificate.der); }

ca::SignatureAlgorithm AlgorithmOf(const ca::PublicKey& key) {
  switch (key.type()) {
    case ca::KeyType::kP256:
      return ca::SignatureAlgorithm::kEcdsaSha256;
    case ca::KeyType::kP384:
      return ca::SignatureAlgorithm::kEcdsaSha384;
    case ca::KeyType::kEd25519:
      return ca::SignatureAlgorithm::kEd25519;
    case ca::KeyType::kRsa:
      break;
  }
  return ca::SignatureAlgorithm::kRsaPkcs1Sha256;
}

CaIdentity MakeCaIdentity(ca::Certificate certificate, const std::string& http_url,
                          bool has_responder) {
  const ca::IssuerId id = ca::IssuerIdOf(certificate.key);
  ca::IssuerInfo info{
      .id = id,
      .subject = certificate.subject,
      .key_identifier = certificate.key.key_identifier(),
      .ocsp_url = has_responder ? http_url + "/ocsp" : "",
      .ca_issuers_url = http_url + "/issuer/" + id + ".der",
      .crl_url = http_url + "/crl/" + id + ".crl",
      .algorithm = AlgorithmOf(certificate.key),
  };
  return {std::move(certificate), std::move(info)};
}

Result<ca::Certificate> ReadCertificate(const std::filesystem::path& file) {
  AGENTCA_ASSIGN(const auto blocks, ReadCertificates(file));
  auto certificate = ca::Certificate::Parse(blocks.front());
  if (!certificate.ok())
    return Error{Code::kMalformed, file.string() + ": " + certificate.error().detail};
  return certificate;
}

Result<Hierarchy> Hierarchy::Load(const Directory& directory, const std::string& http_url) {
  AGENTCA_ASSIGN(ca::Certificate root, ReadCertificate(directory.RootCertificate()));
  AGENTCA_ASSIGN(ca::Certificate issuing, ReadCertificate(directory.IssuingCertificate()));
  return Hierarchy{MakeCaIdentity(std::move(root), http_url, false),
                   MakeCaIdentity(std::move(issuing), http_url, true)};
}

}  // namespace agentca::cli
