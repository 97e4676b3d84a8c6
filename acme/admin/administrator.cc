#include "acme/admin/administrator.h"

#include <array>

#include "ca/agent.h"
#include "ca/openssl.h"

namespace agentca::acme::admin {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"auditor", "operator", "admin"};

std::string Prefix(std::string_view trust_domain) {
  return "spiffe://" + std::string(trust_domain) + "/admin/";
}

// Every uniformResourceIdentifier of the subjectAltName; OpenSSL reads it.
std::vector<std::string> UrisOf(ByteView der) {
  const ca::openssl::ErrorScope errors;
  const auto certificate = ca::openssl::Decode<ca::openssl::X509Ptr>(d2i_X509, der);
  if (!certificate) return {};
  const ca::openssl::GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(
        AsText({ASN1_STRING_get0_data(uri), static_cast<size_t>(ASN1_STRING_length(uri))}));
  }
  return uris;
}

}  // namespace

std::string_view ToString(Role role) { return kRoles[static_cast<size_t>(role)]; }

Result<Role> RoleFromString(std::string_view text) {
  for (size_t i = 0; i < kRoles.size(); ++i)
    if (kRoles[i] == text) return static_cast<Role>(i);
  return Error{Code::kMalformed, "role is none of auditor, operator, admin"};
}

std::string Administrator::ToString() const {
  return std::string(admin::ToString(role)) + " " + name;
}

Result<Administrator> MakeAdministrator(std::string_view role, std::string_view name) {
  AGENTCA_ASSIGN(const Role parsed, RoleFromString(role));
  if (!ca::IsAgentLabel(name))
    return Error{Code::kMalformed,
                 "name must be lower-case letters, digits and inner hyphens, at most 63 octets"};
  return Administrator{parsed, std::string(name)};
}

std::string UriOf(const Administrator& administrator, std::string_view trust_domain) {
  return Prefix(trust_domain) + std::string(ToString(administrator.role)) + "/" +
         administrator.name;
}

Result<Administrator> AdministratorOf(ByteView certificate_der, std::string_view trust_domain) {
  const Error denied{Code::kUnauthorized, "the certificate has no admin identity of this CA"};
  const auto uris = UrisOf(certificate_der);
  const std::string prefix = Prefix(trust_domain);
  if (uris.size() != 1 || !uris.front().starts_with(prefix)) return denied;
  const std::string_view rest = std::string_view(uris.front()).substr(prefix.size());
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return denied;
  auto administrator = MakeAdministrator(rest.substr(0, slash), rest.substr(slash + 1));
  if (!administrator.ok()) return denied;
  return administrator;
}

ca::CertificateRequest AdminCertificateRequest(const Administrator& administrator,
                                               const ca::PublicKey& key,
                                               std::string_view trust_domain) {
  return {
      .key = key,
      .uris = {UriOf(administrator, trust_domain)},
      .subject =
          ca::Name{{ca::Attribute::kOrganizationalUnit, std::string(ToString(administrator.role))},
                   {ca::Attribute::kCommonName, administrator.name}},
      .reference = "agentca:admin",
      .owner = administrator.ToString(),
  };
}

}  // namespace agentca::acme::admin
