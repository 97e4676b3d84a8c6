// Who calls the admin API: the holder of a certificate of this CA whose one URI SAN is
// spiffe://<trust-domain>/admin/<role>/<name>. The CA writes that URI itself, never from a CSR.
#pragma once

#include <string>
#include <string_view>

#include "ca/base/bytes.h"
#include "ca/certificate.h"

namespace agentca::acme::admin {

// Each may do what those before it may: an auditor reads, an operator also handles agents and
// approvals, an admin also rules, sources and admin certificates.
enum class Role : uint8_t { kAuditor, kOperator, kAdmin };
std::string_view ToString(Role role);                // "auditor", "operator", "admin"
Result<Role> RoleFromString(std::string_view text);  // kMalformed

struct Administrator {
  Role role = Role::kAuditor;
  std::string name;              // a DNS label
  std::string ToString() const;  // "operator alice": histories and audit logs
  friend bool operator==(const Administrator&, const Administrator&) = default;
};
// kMalformed: `name` is no label.
Result<Administrator> MakeAdministrator(std::string_view role, std::string_view name);

// Certificates of this profile alone open the admin API.
inline constexpr char kAdminProfile[] = "admin";

std::string UriOf(const Administrator& administrator, std::string_view trust_domain);
// kUnauthorized unless the certificate has exactly one URI SAN, and that is one of UriOf's.
Result<Administrator> AdministratorOf(ByteView certificate_der, std::string_view trust_domain);

// What the CA certifies for an administrator's key.
ca::CertificateRequest AdminCertificateRequest(const Administrator& administrator,
                                               const ca::PublicKey& key,
                                               std::string_view trust_domain);

}  // namespace agentca::acme::admin
