#include "acme/cli/bootstrap.h"

#include "acme/cli/files.h"
#include "acme/cli/own_certificates.h"
#include "acme/cli/profiles.h"
#include "ca/crl_publisher.h"
#include "ca/issuance.h"
#include "ca/lint.h"
#include "ca/signed_object.h"

namespace agentca::cli {
namespace {

// Two authorities for one trust domain must not have equal names: the key tells them apart.
ca::Name CaName(const Config& config, std::string_view kind, const ca::PublicKey& key) {
  return {{ca::Attribute::kOrganization, config.identity.organization},
          {ca::Attribute::kCommonName, std::string(kind) + " " + ca::IssuerIdOf(key).substr(0, 8)}};
}

Status WriteCertificate(const std::filesystem::path& file, const ca::Certificate& certificate) {
  return WriteTextFile(file, ToPem("CERTIFICATE", certificate.der), kPublicFile);
}

// The one certificate that no Issuer can make: its issuer does not exist yet.
Result<ca::Certificate> SelfSign(const Foundation& with, ca::Signer& signer, Time now) {
  AGENTCA_ASSIGN(const ca::Profile profile, ReadProfile(with.config.directory, "root"));
  const ca::PublicKey& key = signer.public_key();
  const ca::CertificateRequest request{.key = key, .subject = CaName(with.config, "Root CA", key)};
  AGENTCA_ASSIGN(Bytes subject, ca::EncodeName(*request.subject));
  const ca::IssuerInfo self{
      .id = ca::IssuerIdOf(key),
      .subject = std::move(subject),
      .key_identifier = key.key_identifier(),
      .ocsp_url = "",  // a relying party holds the root; nothing is to be fetched about it
      .ca_issuers_url = "",
      .crl_url = "",
      .algorithm = signer.algorithm(),
  };
  const auto serial = ca::Serial::Random(with.config.serial_prefix, with.random);
  AGENTCA_ASSIGN(const Bytes tbs, ca::BuildTbsCertificate(profile, self, request, serial, now));
  for (const auto& finding : ca::LintTbsCertificate(tbs, profile, self, request))
    return Error{Code::kInternal, "root certificate: " + finding};
  AGENTCA_TRY(with.audit.Append(
      "root-intent", {{"serial", serial.ToString()}, {"tbs_sha256", ToHex(Sha256(tbs))}}, now));
  AGENTCA_ASSIGN(const Bytes der, ca::MakeSigned(tbs, signer));
  return ca::Certificate::Parse(der);
}

Result<ca::Certificate> CertifyIssuingCa(const Foundation& with, const ca::Issuer& root,
                                         const ca::PublicKey& key, Time now) {
  AGENTCA_ASSIGN(const ca::Profile profile, ReadProfile(with.config.directory, "issuing"));
  const ca::Issuance issuance(root, with.backend.certificates(), with.audit, with.random, with.config.serial_prefix);
  const ca::CertificateRequest request{
      .key = key,
      .subject = CaName(with.config, "Issuing CA", key),
      .reference = "agentca:issuing",
  };
  return issuance.Issue(profile, request, now);
}

Status PublishFirstCrl(const Foundation& with, const ca::Issuer& issuer) {
  ca::CrlPublisher publisher(
      issuer.info(), issuer.signer(),
      {with.backend.certificates(), with.backend.leases(), with.backend.documents()}, with.clock,
      with.config.crl, with.config.directory.Crl(issuer.id()));
  return publisher.PublishNow();
}

}  // namespace

Result<Hierarchy> Found(const Foundation& with) {
  const Config& config = with.config;
  const std::string& url = config.identity.http_external_url;
  const Time now = with.clock.Now();

  AGENTCA_ASSIGN(auto root_signer, with.keys.Open(kRootKey));
  AGENTCA_ASSIGN(ca::Certificate root_certificate, SelfSign(with, *root_signer, now));
  AGENTCA_TRY(WriteCertificate(config.directory.RootCertificate(), root_certificate));
  CaIdentity root = MakeCaIdentity(std::move(root_certificate), url, false);
  AGENTCA_ASSIGN(const auto root_issuer,
                 ca::Issuer::Make(root.certificate, root.info, std::move(root_signer)));

  AGENTCA_ASSIGN(auto issuing_signer, with.keys.Open(kIssuingKey));
  AGENTCA_ASSIGN(ca::Certificate issuing_certificate,
                 CertifyIssuingCa(with, *root_issuer, issuing_signer->public_key(), now));
  AGENTCA_TRY(WriteCertificate(config.directory.IssuingCertificate(), issuing_certificate));
  CaIdentity issuing = MakeCaIdentity(std::move(issuing_certificate), url, true);
  AGENTCA_ASSIGN(const auto issuer,
                 ca::Issuer::Make(issuing.certificate, issuing.info, std::move(issuing_signer)));

  const ca::Issuance issuance(*issuer, with.backend.certificates(), with.audit, with.random, config.serial_prefix);
  AGENTCA_ASSIGN(const OwnCertificates own, OwnCertificates::Make(config, issuance));
  AGENTCA_ASSIGN(const auto ocsp_signer, with.keys.Open(kOcspKey));
  if (auto ocsp = own.IssueOcspDelegate(ocsp_signer->public_key(), now); !ocsp.ok())
    return std::move(ocsp).error();
  if (auto tls = own.IssueTlsIdentity(now); !tls.ok()) return std::move(tls).error();
  if (auto admin = own.IssueAdmin(now); !admin.ok()) return std::move(admin).error();

  AGENTCA_TRY(PublishFirstCrl(with, *root_issuer));
  AGENTCA_TRY(PublishFirstCrl(with, *issuer));
  return Hierarchy{std::move(root), std::move(issuing)};
}

}  // namespace agentca::cli
