#include "acme/cli/own_certificates.h"

#include <arpa/inet.h>

#include <algorithm>

#include "acme/admin/administrator.h"
#include "acme/cli/files.h"
#include "acme/cli/hierarchy.h"
#include "acme/cli/pem.h"
#include "acme/cli/profiles.h"

namespace agentca::cli {
namespace {

Bytes Octets(const std::string& address) {
  uint8_t octets[16];
  if (inet_pton(AF_INET, address.c_str(), octets) == 1) return {octets, octets + 4};
  if (inet_pton(AF_INET6, address.c_str(), octets) == 1) return {octets, octets + 16};
  return {};
}

template <class T>
void SortUnique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

template <class T>
std::vector<T> Sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

bool IsPermitted(const std::string& name, const std::vector<std::string>& permitted) {
  // RFC 5280 §4.2.1.10: zero or more labels added to the left of the constraint.
  const auto covers = [&](const std::string& suffix) {
    return name == suffix || name.ends_with("." + suffix);
  };
  return permitted.empty() || std::any_of(permitted.begin(), permitted.end(), covers);
}

bool PermitsIpAddresses(const ca::Profile& issuing) {
  return issuing.raw().permitted_dns.empty() || issuing.raw().allow_ip_addresses;
}

TlsNames TlsNames::Of(const Config& config, const ca::Profile& issuing) {
  TlsNames out{config.identity.dns_names, {}};
  if (IsPermitted("localhost", issuing.raw().permitted_dns)) out.dns_names.push_back("localhost");
  SortUnique(out.dns_names);
  if (!PermitsIpAddresses(issuing)) return out;
  out.ip_addresses = {Octets("127.0.0.1"), Octets("::1")};
  std::vector<Endpoint> listening{config.serving.acme_listen};
  if (config.serving.admin_listen) listening.push_back(*config.serving.admin_listen);
  for (const Endpoint& endpoint : listening) {
    const Bytes address = Octets(endpoint.address);
    const bool any = std::all_of(address.begin(), address.end(), [](uint8_t o) { return o == 0; });
    if (!any) out.ip_addresses.push_back(address);
  }
  SortUnique(out.ip_addresses);
  return out;
}

OwnCertificates::OwnCertificates(const Config& config, const ca::Issuance& issuance, TlsNames names,
                                 Profiles profiles)
    : directory_(config.directory),
      issuance_(issuance),
      trust_domain_(config.identity.trust_domain),
      names_(std::move(names)),
      profiles_(std::move(profiles)) {}

Result<OwnCertificates> OwnCertificates::Make(const Config& config, const ca::Issuance& issuance) {
  AGENTCA_ASSIGN(const ca::Profile issuing, ReadProfile(config.directory, "issuing"));
  AGENTCA_ASSIGN(ca::Profile ocsp, ReadProfile(config.directory, "ocsp-delegate"));
  AGENTCA_ASSIGN(ca::Profile tls, ReadProfile(config.directory, "tls-server"));
  AGENTCA_ASSIGN(ca::Profile admin, ReadProfile(config.directory, acme::admin::kAdminProfile));
  return OwnCertificates(config, issuance, TlsNames::Of(config, issuing),
                         {std::move(ocsp), std::move(tls), std::move(admin)});
}

Result<ca::Certificate> OwnCertificates::IssueOcspDelegate(const ca::PublicKey& key,
                                                           Time now) const {
  const ca::CertificateRequest request{
      .key = key,
      .subject =
          ca::Name{{ca::Attribute::kCommonName, "OCSP responder " + issuance_.issuer().id()}},
      .reference = "agentca:ocsp",
  };
  AGENTCA_ASSIGN(ca::Certificate certificate, issuance_.Issue(profiles_.ocsp, request, now));
  AGENTCA_TRY(WriteTextFile(directory_.OcspCertificate(), ToPem("CERTIFICATE", certificate.der),
                            kPublicFile));
  return certificate;
}

Result<ca::Certificate> OwnCertificates::IssueTlsIdentity(Time now) const {
  AGENTCA_ASSIGN(const TlsKey key, GenerateTlsKey());
  const ca::CertificateRequest request{
      .key = key.public_key,
      .dns_names = names_.dns_names,
      .ip_addresses = names_.ip_addresses,
      .reference = "agentca:tls",
  };
  AGENTCA_ASSIGN(ca::Certificate certificate, issuance_.Issue(profiles_.tls, request, now));
  AGENTCA_TRY(WritePair(key, certificate, directory_.TlsKey(), directory_.TlsChain()));
  return certificate;
}

Result<ca::Certificate> OwnCertificates::IssueAdmin(Time now) const {
  AGENTCA_ASSIGN(const TlsKey key, GenerateTlsKey());
  const auto request = acme::admin::AdminCertificateRequest({acme::admin::Role::kAdmin, "init"},
                                                            key.public_key, trust_domain_);
  AGENTCA_ASSIGN(ca::Certificate certificate, issuance_.Issue(profiles_.admin, request, now));
  AGENTCA_TRY(WritePair(key, certificate, directory_.AdminKey(), directory_.AdminCertificate()));
  return certificate;
}

// Two files cannot be replaced as one: a crash in between leaves a pair that does not match, which
// the next start sees (Current…) and replaces.
Status OwnCertificates::WritePair(const TlsKey& key, const ca::Certificate& certificate,
                                  const std::filesystem::path& key_file,
                                  const std::filesystem::path& chain_file) const {
  const std::string chain = ToPem("CERTIFICATE", certificate.der) +
                            ToPem("CERTIFICATE", issuance_.issuer().certificate().der);
  AGENTCA_TRY(WriteTextFile(key_file, AsText(key.pem.view()), kSecretFile));
  return WriteTextFile(chain_file, chain, kPublicFile);
}

bool OwnCertificates::IsFresh(const ca::Certificate& certificate, Time now) const {
  const auto life = certificate.not_after - certificate.not_before;
  return certificate.issuer == issuance_.issuer().info().subject && certificate.not_before <= now &&
         certificate.not_after - now > life / 3;
}

std::optional<ca::Certificate> OwnCertificates::CurrentOcspDelegate(const ca::PublicKey& key,
                                                                    Time now) const {
  auto certificate = ReadCertificate(directory_.OcspCertificate());
  if (!certificate.ok() || !(certificate->key == key) || !IsFresh(*certificate, now))
    return std::nullopt;
  return std::move(certificate).value();
}

std::optional<ca::Certificate> OwnCertificates::CurrentTlsIdentity(Time now) const {
  auto certificate = ReadCertificate(directory_.TlsChain());
  if (!certificate.ok() || !IsFresh(*certificate, now)) return std::nullopt;
  if (!HoldsKey(directory_.TlsKey(), certificate->key)) return std::nullopt;
  if (Sorted(certificate->dns_names) != names_.dns_names ||
      Sorted(certificate->ip_addresses) != names_.ip_addresses)
    return std::nullopt;
  return std::move(certificate).value();
}

std::optional<ca::Certificate> OwnCertificates::CurrentAdmin(Time now) const {
  auto certificate = ReadCertificate(directory_.AdminCertificate());
  if (!certificate.ok() || !IsFresh(*certificate, now) ||
      !HoldsKey(directory_.AdminKey(), certificate->key))
    return std::nullopt;
  return std::move(certificate).value();
}

bool OwnCertificates::KeepsAdmin() const {
  std::error_code ignored;
  return std::filesystem::exists(directory_.AdminCertificate(), ignored);
}

}  // namespace agentca::cli
