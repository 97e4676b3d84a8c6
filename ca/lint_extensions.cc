#include "ca/lint_extensions.h"

#include <algorithm>
#include <array>
#include <set>

#include "ca/asn1_forms.h"
#include "ca/dns_name.h"
#include "ca/openssl.h"

namespace agentca::ca {
namespace {

using PoliciesPtr = openssl::Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>;
using AccessPtr = openssl::Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free>;
using PointsPtr = openssl::Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free>;
using AkiPtr = openssl::Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
using UsagesPtr = openssl::Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using ConstraintsPtr = openssl::Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;
using BasicPtr = openssl::Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using IdentifierPtr = openssl::Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using BitsPtr = openssl::Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;

// A GeneralName as type and octets.
using ReadName = std::pair<int, std::string>;

std::string TextOf(const ASN1_STRING* string) {
  const unsigned char* const data = ASN1_STRING_get0_data(string);
  return {data, data + ASN1_STRING_length(string)};
}

std::optional<ReadName> NameOf(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
    case GEN_URI:
      return ReadName{name->type, TextOf(name->d.ia5)};
    case GEN_IPADD:
      return ReadName{name->type, TextOf(name->d.iPAddress)};
    default:
      return std::nullopt;
  }
}

using Extensions = STACK_OF(X509_EXTENSION);

// ---- The list as a whole ------------------------------------------------------------------------

// Which extensions must be there, and whether critical. Nothing else may be, but request.extra.
struct Wanted {
  int nid;
  bool present;
  bool critical;
  const char* name;
};

std::array<Wanted, 11> WantedExtensions(const LintContext& lint, bool empty_subject) {
  const RawProfile& rules = lint.profile.raw();
  const CertificateRequest& request = lint.request;
  const bool points_out = !rules.ocsp_no_check;
  const bool named =
      !request.dns_names.empty() || !request.ip_addresses.empty() || !request.uris.empty();
  return {{
      {NID_basic_constraints, true, true, "basicConstraints"},
      {NID_key_usage, true, true, "keyUsage"},
      {NID_ext_key_usage, !rules.is_ca, false, "extKeyUsage"},
      {NID_subject_key_identifier, true, false, "subjectKeyIdentifier"},
      {NID_authority_key_identifier, true, false, "authorityKeyIdentifier"},
      {NID_info_access,
       points_out && !(lint.issuer.ocsp_url.empty() && lint.issuer.ca_issuers_url.empty()), false,
       "authorityInfoAccess"},
      {NID_crl_distribution_points, points_out && !lint.issuer.crl_url.empty(), false,
       "cRLDistributionPoints"},
      {NID_subject_alt_name, named, empty_subject, "subjectAltName"},
      {NID_certificate_policies, !(rules.policies.empty() && request.policies.empty()), false,
       "certificatePolicies"},
      {NID_name_constraints, !rules.permitted_dns.empty(), true, "nameConstraints"},
      {NID_id_pkix_OCSP_noCheck, rules.ocsp_no_check, false, "id-pkix-ocsp-nocheck"},
  }};
}

void LintList(const Extensions* extensions, bool empty_subject, const LintContext& lint) {
  const auto wanted = WantedExtensions(lint, empty_subject);
  for (const Wanted& one : wanted)
    lint.Expect((X509v3_get_ext_by_NID(extensions, one.nid, -1) >= 0) == one.present,
                std::string(one.name) + (one.present ? " is missing" : " is not wanted"));
  std::set<std::string> seen;
  const std::vector<Bytes>& extra = lint.request.extra_extensions;
  for (int i = 0; i < X509v3_get_ext_count(extensions); ++i) {
    X509_EXTENSION* const extension = X509v3_get_ext(extensions, i);
    const std::string dotted = DottedOf(X509_EXTENSION_get_object(extension));
    lint.Expect(seen.insert(dotted).second, "extension " + dotted + " is there twice");
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    const auto known = std::find_if(wanted.begin(), wanted.end(),
                                    [nid](const Wanted& one) { return one.nid == nid; });
    if (known != wanted.end()) {
      lint.Expect(
          (X509_EXTENSION_get_critical(extension) != 0) == known->critical,
          std::string(known->name) + (known->critical ? " is not critical" : " is critical"));
    } else {
      const Bytes der = openssl::Encode(i2d_X509_EXTENSION, extension);
      lint.Expect(std::find(extra.begin(), extra.end(), der) != extra.end(),
                  "extension " + dotted + " was not asked for");
    }
  }
}

// ---- One extension each -------------------------------------------------------------------------

void LintBasicConstraints(const Extensions* extensions, const LintContext& lint) {
  const RawProfile& rules = lint.profile.raw();
  const auto basic = ReadExtension<BasicPtr>(extensions, NID_basic_constraints);
  if (!lint.Expect(basic != nullptr, "basicConstraints cannot be read")) return;
  lint.Expect((basic->ca != 0) == rules.is_ca, "CA bit is not the profile's");
  const long path_length = basic->pathlen == nullptr ? -1 : ASN1_INTEGER_get(basic->pathlen);
  lint.Expect(path_length == (rules.path_length ? *rules.path_length : -1),
              "path length is not the profile's");
}

void LintKeyUsage(const Extensions* extensions, const LintContext& lint) {
  const auto bits = ReadExtension<BitsPtr>(extensions, NID_key_usage);
  if (!lint.Expect(bits != nullptr, "keyUsage cannot be read")) return;
  uint16_t found = 0;
  for (int bit = 0; bit < 16; ++bit)
    if (ASN1_BIT_STRING_get_bit(bits.get(), bit) == 1)
      found = static_cast<uint16_t>(found | (0x8000 >> bit));
  lint.Expect(found != 0, "keyUsage is empty");
  lint.Expect(found == KeyUsageFor(lint.request.key.type(), lint.profile.key_usage_bits()),
              "keyUsage is not the profile's");
  const bool signs_certificates = ASN1_BIT_STRING_get_bit(bits.get(), 5) == 1;
  lint.Expect(signs_certificates == lint.profile.raw().is_ca,
              "keyCertSign and the CA bit disagree");
}

void LintExtendedKeyUsage(const Extensions* extensions, const LintContext& lint) {
  const auto usages = ReadExtension<UsagesPtr>(extensions, NID_ext_key_usage);
  std::vector<std::string> found;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i)
    found.push_back(DottedOf(sk_ASN1_OBJECT_value(usages.get(), i)));
  lint.Expect(found == lint.profile.extended_key_usage_oids(), "extKeyUsage is not the profile's");
}

void LintKeyIdentifiers(const Extensions* extensions, const LintContext& lint) {
  const auto subject = ReadExtension<IdentifierPtr>(extensions, NID_subject_key_identifier);
  const Bytes own = lint.request.key.key_identifier();
  lint.Expect(subject != nullptr && TextOf(subject.get()) == AsText(own),
              "subjectKeyIdentifier is not the hash of the key");
  const auto authority = ReadExtension<AkiPtr>(extensions, NID_authority_key_identifier);
  if (!lint.Expect(authority && authority->keyid, "authorityKeyIdentifier has no key identifier"))
    return;
  lint.Expect(TextOf(authority->keyid) == AsText(lint.issuer.key_identifier),
              "authorityKeyIdentifier is not the issuer's");
  lint.Expect(authority->issuer == nullptr && authority->serial == nullptr,
              "authorityKeyIdentifier names issuer and serial");
}

void LintAlternativeNames(const Extensions* extensions, const LintContext& lint) {
  std::vector<ReadName> wanted;
  for (const std::string& name : lint.request.dns_names) wanted.emplace_back(GEN_DNS, name);
  for (const Bytes& address : lint.request.ip_addresses)
    wanted.emplace_back(GEN_IPADD, AsText(address));
  for (const std::string& uri : lint.request.uris) wanted.emplace_back(GEN_URI, uri);

  std::vector<ReadName> found;
  const auto names = ReadExtension<openssl::GeneralNamesPtr>(extensions, NID_subject_alt_name);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto name = NameOf(sk_GENERAL_NAME_value(names.get(), i));
    if (!lint.Expect(name.has_value(), "subjectAltName has a name of another type")) continue;
    if (name->first == GEN_DNS)
      lint.Expect(CheckDnsName(name->second, lint.profile.raw().allow_wildcards).ok(),
                  "subjectAltName has a DNS name that is not one");
    if (name->first == GEN_IPADD)
      lint.Expect(name->second.size() == 4 || name->second.size() == 16,
                  "subjectAltName has an IP address of another length");
    found.push_back(*name);
  }
  std::sort(wanted.begin(), wanted.end());
  std::sort(found.begin(), found.end());
  lint.Expect(std::adjacent_find(found.begin(), found.end()) == found.end(),
              "subjectAltName has a name twice");
  lint.Expect(found == wanted, "subjectAltName is not what was asked for");
  lint.Expect(found.size() <= lint.profile.raw().max_names,
              "subjectAltName has more names than the profile allows");
}

void LintAccess(const Extensions* extensions, const LintContext& lint) {
  if (lint.profile.raw().ocsp_no_check) return;
  std::vector<std::pair<int, std::string>> wanted, found;
  if (!lint.issuer.ocsp_url.empty()) wanted.emplace_back(NID_ad_OCSP, lint.issuer.ocsp_url);
  if (!lint.issuer.ca_issuers_url.empty())
    wanted.emplace_back(NID_ad_ca_issuers, lint.issuer.ca_issuers_url);
  const auto access = ReadExtension<AccessPtr>(extensions, NID_info_access);
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i) {
    const ACCESS_DESCRIPTION* const one = sk_ACCESS_DESCRIPTION_value(access.get(), i);
    const auto name = NameOf(one->location);
    if (lint.Expect(name && name->first == GEN_URI, "authorityInfoAccess is not a URI"))
      found.emplace_back(OBJ_obj2nid(one->method), name->second);
  }
  lint.Expect(found == wanted, "authorityInfoAccess is not the issuer's");
}

void LintDistributionPoints(const Extensions* extensions, const LintContext& lint) {
  if (lint.profile.raw().ocsp_no_check) return;
  std::vector<std::string> wanted, found;
  if (!lint.issuer.crl_url.empty()) wanted.push_back(lint.issuer.crl_url);
  const auto points = ReadExtension<PointsPtr>(extensions, NID_crl_distribution_points);
  for (int i = 0; i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT* const point = sk_DIST_POINT_value(points.get(), i);
    const bool plain = point->distpoint != nullptr && point->distpoint->type == 0 &&
                       point->reasons == nullptr && point->CRLissuer == nullptr;
    if (!lint.Expect(plain, "cRLDistributionPoints has more than full names")) continue;
    for (int j = 0; j < sk_GENERAL_NAME_num(point->distpoint->name.fullname); ++j) {
      const auto name = NameOf(sk_GENERAL_NAME_value(point->distpoint->name.fullname, j));
      if (lint.Expect(name && name->first == GEN_URI, "cRLDistributionPoints is not a URI"))
        found.push_back(name->second);
    }
  }
  lint.Expect(found == wanted, "cRLDistributionPoints is not the issuer's");
}

void LintPolicies(const Extensions* extensions, const LintContext& lint) {
  std::vector<std::string> wanted = lint.profile.raw().policies, found;
  wanted.insert(wanted.end(), lint.request.policies.begin(), lint.request.policies.end());
  const auto policies = ReadExtension<PoliciesPtr>(extensions, NID_certificate_policies);
  for (int i = 0; i < sk_POLICYINFO_num(policies.get()); ++i) {
    const POLICYINFO* const policy = sk_POLICYINFO_value(policies.get(), i);
    lint.Expect(policy->qualifiers == nullptr, "certificatePolicies has qualifiers");
    found.push_back(DottedOf(policy->policyid));
  }
  lint.Expect(found == wanted, "certificatePolicies is not that of profile and request");
}

std::vector<ReadName> SubtreesOf(STACK_OF(GENERAL_SUBTREE) * subtrees, const LintContext& lint) {
  std::vector<ReadName> found;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    const GENERAL_SUBTREE* const subtree = sk_GENERAL_SUBTREE_value(subtrees, i);
    const auto name = NameOf(subtree->base);
    if (lint.Expect(name && subtree->minimum == nullptr && subtree->maximum == nullptr,
                    "nameConstraints has a subtree that cannot be"))
      found.push_back(*name);
  }
  return found;
}

void LintNameConstraints(const Extensions* extensions, const LintContext& lint) {
  const RawProfile& rules = lint.profile.raw();
  if (rules.permitted_dns.empty()) return;
  std::vector<ReadName> permitted, excluded;
  for (const std::string& name : rules.permitted_dns) permitted.emplace_back(GEN_DNS, name);
  if (!rules.allow_ip_addresses)
    excluded = {{GEN_IPADD, std::string(8, '\0')}, {GEN_IPADD, std::string(32, '\0')}};
  const auto constraints = ReadExtension<ConstraintsPtr>(extensions, NID_name_constraints);
  if (!lint.Expect(constraints != nullptr, "nameConstraints cannot be read")) return;
  lint.Expect(SubtreesOf(constraints->permittedSubtrees, lint) == permitted,
              "permitted names are not the profile's");
  lint.Expect(SubtreesOf(constraints->excludedSubtrees, lint) == excluded,
              "excluded names are not the profile's");
}

}  // namespace

void LintExtensions(const Extensions* extensions, bool empty_subject, const LintContext& lint) {
  LintList(extensions, empty_subject, lint);
  LintBasicConstraints(extensions, lint);
  LintKeyUsage(extensions, lint);
  LintExtendedKeyUsage(extensions, lint);
  LintKeyIdentifiers(extensions, lint);
  LintAlternativeNames(extensions, lint);
  LintAccess(extensions, lint);
  LintDistributionPoints(extensions, lint);
  LintPolicies(extensions, lint);
  LintNameConstraints(extensions, lint);
  LintAgent(extensions, lint);
}

}  // namespace agentca::ca
