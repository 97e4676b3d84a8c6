// The TBSCertificate (RFC 5280 §4.1) as this CA writes it.
#include <algorithm>
#include <set>

#include "ca/certificate.h"
#include "ca/der.h"
#include "ca/dns_name.h"
#include "ca/oid.h"
#include "ca/spiffe.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxUri = 2048;  // octets; SPIFFE-ID §2.3
constexpr size_t kMaxCommonName = 64;

void Append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

// ---- What the profile allows --------------------------------------------------------------------

Status CheckKey(const Profile& profile, const PublicKey& key) {
  for (const AllowedKey& allowed : profile.allowed_keys())
    if (allowed.type == key.type() && key.bits() >= allowed.min_bits) return {};
  return Error{Code::kBadPublicKey, "profile " + profile.name() + " does not allow a key of type " +
                                        std::string(ToString(key.type())) + " with " +
                                        std::to_string(key.bits()) + " bits"};
}

Error RejectedName(std::string_view type, const std::string& name, const std::string& why) {
  return {Code::kRejectedIdentifier, why, std::string(type) + ":" + name};
}

bool IsUri(const std::string& uri) {
  const size_t colon = uri.find(':');
  return colon != std::string::npos && colon > 0 && uri.size() > colon + 1 &&
         uri.size() <= kMaxUri &&
         std::all_of(uri.begin(), uri.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Status CheckNames(const Profile& profile, const CertificateRequest& request) {
  const RawProfile& rules = profile.raw();
  const size_t count = request.dns_names.size() + request.ip_addresses.size() + request.uris.size();
  if (count > rules.max_names)
    return Error{Code::kRejectedIdentifier, "profile " + profile.name() + " allows " +
                                                std::to_string(rules.max_names) + " names, not " +
                                                std::to_string(count)};
  std::set<std::string> seen;
  for (const std::string& name : request.dns_names) {
    if (const Status checked = CheckDnsName(name, rules.allow_wildcards); !checked)
      return RejectedName("dns", name, checked.error().detail);
    if (!seen.insert(name).second) return RejectedName("dns", name, "name is there twice");
  }
  for (const Bytes& address : request.ip_addresses) {
    const std::string hex = ToHex(address);
    if (!rules.allow_ip_addresses)
      return RejectedName("ip", hex, "profile " + profile.name() + " allows no IP addresses");
    if (address.size() != 4 && address.size() != 16)
      return RejectedName("ip", hex, "not 4 or 16 octets");
    if (!seen.insert(hex).second) return RejectedName("ip", hex, "address is there twice");
  }
  for (const std::string& uri : request.uris) {
    if (!IsUri(uri)) return RejectedName("uri", uri, "not a URI that can be written");
    if (!seen.insert(uri).second) return RejectedName("uri", uri, "URI is there twice");
    if (!uri.starts_with("spiffe:")) continue;
    if (const Status checked = CheckSpiffeId(uri); !checked)
      return RejectedName("uri", uri, checked.error().detail);
    if (request.uris.size() > 1) return RejectedName("uri", uri, "SPIFFE ID stands alone");
  }
  return {};
}

// ---- Fields -------------------------------------------------------------------------------------

Result<Bytes> MakeSubject(const Profile& profile, const CertificateRequest& request) {
  if (request.subject) return EncodeName(*request.subject);
  Name subject;
  for (const auto& [attribute, value] : profile.raw().subject) {
    std::string text = value;
    if (value == kFirstDnsTemplate) {
      // The SAN says it; a name too long for X.520 must not stop the issuance.
      if (request.dns_names.empty() || request.dns_names.front().size() > kMaxCommonName) continue;
      text = request.dns_names.front();
    }
    // Profile::Make admitted no other attribute.
    subject.push_back({AttributeFromString(attribute).value_or(Attribute::kCommonName), text});
  }
  return EncodeName(subject);
}

// Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
Bytes Extension(std::string_view id, bool critical, const Bytes& value) {
  const Bytes flag = critical ? der::Boolean(true) : Bytes{};
  return der::Sequence({der::Oid(id), flag, der::OctetString(value)});
}

// §4.2.1.9: critical; cA is DEFAULT FALSE and then not encoded.
Bytes BasicConstraints(const RawProfile& rules) {
  Bytes content;
  if (rules.is_ca) content = der::Boolean(true);
  if (rules.path_length) Append(content, der::Integer(static_cast<uint64_t>(*rules.path_length)));
  return Extension(oid::kBasicConstraints, true, der::Sequence({content}));
}

Bytes ExtendedKeyUsage(const std::vector<std::string>& oids) {
  Bytes content;
  for (const std::string& id : oids) Append(content, der::Oid(id));
  return Extension(oid::kExtendedKeyUsage, false, der::Sequence({content}));
}

// §4.2.1.1: keyIdentifier [0]; "Conforming CAs MUST mark this extension as non-critical."
Bytes AuthorityKeyIdentifier(const Bytes& key_identifier) {
  return Extension(oid::kAuthorityKeyIdentifier, false,
                   der::Sequence({der::Tlv(der::Primitive(0), key_identifier)}));
}

Bytes SubjectKeyIdentifier(const PublicKey& key) {
  return Extension(oid::kSubjectKeyIdentifier, false, der::OctetString(key.key_identifier()));
}

// GeneralName ::= CHOICE { … dNSName [2], … uniformResourceIdentifier [6], iPAddress [7] … }
Bytes DnsGeneralName(std::string_view name) { return der::Tlv(der::Primitive(2), AsBytes(name)); }
Bytes UriGeneralName(std::string_view uri) { return der::Tlv(der::Primitive(6), AsBytes(uri)); }
Bytes IpGeneralName(ByteView octets) { return der::Tlv(der::Primitive(7), octets); }

// §4.2.1.6: "If the subject field contains an empty sequence, then the issuing CA MUST include a
// subjectAltName extension that is marked as critical."
Bytes SubjectAltName(const CertificateRequest& request, bool critical) {
  Bytes names;
  for (const std::string& name : request.dns_names) Append(names, DnsGeneralName(name));
  for (const Bytes& address : request.ip_addresses) Append(names, IpGeneralName(address));
  for (const std::string& uri : request.uris) Append(names, UriGeneralName(uri));
  return Extension(oid::kSubjectAltName, critical, der::Sequence({names}));
}

// §4.2.2.1: SEQUENCE OF AccessDescription { accessMethod, accessLocation }
Bytes AuthorityInfoAccess(const IssuerInfo& issuer) {
  Bytes content;
  if (!issuer.ocsp_url.empty())
    Append(content, der::Sequence({der::Oid(oid::kAccessOcsp), UriGeneralName(issuer.ocsp_url)}));
  if (!issuer.ca_issuers_url.empty())
    Append(content,
           der::Sequence({der::Oid(oid::kAccessCaIssuers), UriGeneralName(issuer.ca_issuers_url)}));
  if (content.empty()) return {};
  return Extension(oid::kAuthorityInfoAccess, false, der::Sequence({content}));
}

// §4.2.1.13: DistributionPoint { distributionPoint [0] { fullName [0] GeneralNames } }
Bytes CrlDistributionPoints(const std::string& url) {
  if (url.empty()) return {};
  const Bytes full_name = der::Tlv(der::Constructed(0), UriGeneralName(url));
  const Bytes point = der::Sequence({der::Tlv(der::Constructed(0), full_name)});
  return Extension(oid::kCrlDistributionPoints, false, der::Sequence({point}));
}

// §4.2.1.4: "A certificate policy OID MUST NOT appear more than once".
Status CheckPolicies(const Profile& profile, const CertificateRequest& request) {
  std::set<std::string> seen(profile.raw().policies.begin(), profile.raw().policies.end());
  for (const std::string& policy : request.policies) {
    if (!IsOid(policy)) return Error{Code::kMalformed, "policy is not an OID: " + policy};
    if (!seen.insert(policy).second)
      return Error{Code::kMalformed, "policy " + policy + " is there twice"};
  }
  return {};
}

Bytes CertificatePolicies(const std::vector<std::string>& of_profile,
                          const std::vector<std::string>& of_request) {
  if (of_profile.empty() && of_request.empty()) return {};
  Bytes content;
  for (const std::string& policy : of_profile) Append(content, der::Sequence({der::Oid(policy)}));
  for (const std::string& policy : of_request) Append(content, der::Sequence({der::Oid(policy)}));
  return Extension(oid::kCertificatePolicies, false, der::Sequence({content}));
}

// §4.2.1.10: NameConstraints { permittedSubtrees [0], excludedSubtrees [1] }, critical. Permitting
// DNS names alone leaves every IP address free, so those are excluded unless allowed: 0.0.0.0/0,
// ::/0.
Bytes NameConstraints(const RawProfile& rules) {
  if (rules.permitted_dns.empty()) return {};
  Bytes permitted;
  for (const std::string& name : rules.permitted_dns)
    Append(permitted, der::Sequence({DnsGeneralName(name)}));
  Bytes content = der::Tlv(der::Constructed(0), permitted);
  if (!rules.allow_ip_addresses) {
    Append(content,
           der::Tlv(der::Constructed(1), der::Concat({der::Sequence({IpGeneralName(Bytes(8))}),
                                                      der::Sequence({IpGeneralName(Bytes(32))})})));
  }
  return Extension(oid::kNameConstraints, true, der::Sequence({content}));
}

Bytes MakeExtensions(const Profile& profile, const IssuerInfo& issuer,
                     const CertificateRequest& request, bool empty_subject) {
  const RawProfile& rules = profile.raw();
  Bytes all = BasicConstraints(rules);
  const uint16_t usage = KeyUsageFor(request.key.type(), profile.key_usage_bits());
  Append(all, Extension(oid::kKeyUsage, true, der::NamedBits(usage)));
  if (!profile.extended_key_usage_oids().empty())
    Append(all, ExtendedKeyUsage(profile.extended_key_usage_oids()));
  Append(all, SubjectKeyIdentifier(request.key));
  Append(all, AuthorityKeyIdentifier(issuer.key_identifier));
  if (rules.ocsp_no_check) {
    // RFC 6960 §4.2.2.2.1: trusted for its lifetime, so nobody needs to know where to ask.
    Append(all, Extension(oid::kOcspNoCheck, false, der::Null()));
  } else {
    Append(all, AuthorityInfoAccess(issuer));
    Append(all, CrlDistributionPoints(issuer.crl_url));
  }
  if (!request.dns_names.empty() || !request.ip_addresses.empty() || !request.uris.empty())
    Append(all, SubjectAltName(request, empty_subject));
  Append(all, CertificatePolicies(rules.policies, request.policies));
  Append(all, NameConstraints(rules));
  for (const Bytes& extension : request.extra_extensions) Append(all, extension);
  return der::Sequence({all});
}

}  // namespace

Result<Validity> ChooseValidity(const Profile& profile, const CertificateRequest& request,
                                Time now) {
  const auto refuse = [](const char* why) { return Error{Code::kMalformed, why}; };
  const Seconds lifetime =
      std::min(profile.lifetime(), request.lifetime.value_or(profile.lifetime()));
  if (lifetime <= Seconds(0)) return refuse("the lifetime asked for is none");
  // A profile says itself how far its own lifetime reaches back.
  const Seconds backdate =
      request.lifetime ? std::min(profile.backdate(), lifetime / 10) : profile.backdate();
  const Time earliest = now - backdate;
  const Time latest = now + lifetime - Seconds(1);
  Validity validity{request.not_before.value_or(earliest), {}};
  if (validity.not_before < earliest) return refuse("notBefore is too far in the past");
  const Time natural_end = validity.not_before + lifetime - Seconds(1);
  validity.not_after = request.not_after.value_or(std::min(natural_end, latest));
  if (validity.not_after > std::min(natural_end, latest))
    return refuse("notAfter is beyond the lifetime that profile and policy allow");
  if (validity.not_after <= validity.not_before) return refuse("notAfter is not after notBefore");
  if (validity.not_after <= now) return refuse("notAfter is in the past");
  return validity;
}

// TBSCertificate ::= SEQUENCE {
//   version [0] EXPLICIT v3(2), serialNumber INTEGER, signature AlgorithmIdentifier, issuer Name,
//   validity SEQUENCE { notBefore Time, notAfter Time }, subject Name,
//   subjectPublicKeyInfo SubjectPublicKeyInfo, extensions [3] EXPLICIT Extensions }
Result<Bytes> BuildTbsCertificate(const Profile& profile, const IssuerInfo& issuer,
                                  const CertificateRequest& request, const Serial& serial,
                                  Time now) {
  AGENTCA_TRY(CheckKey(profile, request.key));
  AGENTCA_TRY(CheckNames(profile, request));
  AGENTCA_TRY(CheckPolicies(profile, request));
  AGENTCA_ASSIGN(const Validity validity, ChooseValidity(profile, request, now));
  AGENTCA_ASSIGN(const Bytes subject, MakeSubject(profile, request));
  const bool empty_subject = subject.size() == 2;
  const bool has_names =
      !request.dns_names.empty() || !request.ip_addresses.empty() || !request.uris.empty();
  // RFC 5280 §4.1.2.6: a CA, also as CRL issuer, must be named; so must whoever has no SAN.
  if (empty_subject && (profile.raw().is_ca || !has_names))
    return Error{Code::kBadCsr, "a certificate of profile " + profile.name() +
                                    " would name nobody: no subject and no names"};
  const Bytes version = der::Tlv(der::Constructed(0), der::Integer(2));
  const Bytes extensions =
      der::Tlv(der::Constructed(3), MakeExtensions(profile, issuer, request, empty_subject));
  return der::Sequence(
      {version, der::UnsignedInteger(serial.bytes()), AlgorithmIdentifier(issuer.algorithm),
       issuer.subject,
       der::Sequence({der::X509Time(validity.not_before), der::X509Time(validity.not_after)}),
       subject, request.key.spki(), extensions});
}

}  // namespace agentca::ca
