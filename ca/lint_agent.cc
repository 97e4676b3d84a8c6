// What a certificate of an agent must be beyond its profile: SPIFFE X509-SVID, and the extension
// and policy of ca/agent_identity.h.
#include <algorithm>
#include <array>

#include "ca/agent_identity.h"
#include "ca/asn1_forms.h"
#include "ca/lint_extensions.h"
#include "ca/oid.h"
#include "ca/spiffe.h"

namespace agentca::ca {
namespace {

using PoliciesPtr = openssl::Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>;
using UsagesPtr = openssl::Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using BitsPtr = openssl::Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
using Extensions = STACK_OF(X509_EXTENSION);

// subjectAltName, by type.
struct Names {
  std::vector<std::string> dns, uris;
  size_t others = 0;
};

Names NamesIn(const Extensions* extensions) {
  Names out;
  const auto names = ReadExtension<openssl::GeneralNamesPtr>(extensions, NID_subject_alt_name);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      out.dns.emplace_back(AsText(View(name->d.ia5)));
    else if (name->type == GEN_URI)
      out.uris.emplace_back(AsText(View(name->d.ia5)));
    else
      ++out.others;
  }
  return out;
}

// X509-SVID §2: "An X.509 SVID MUST contain exactly one URI SAN"; §4.3: digitalSignature.
void LintSvid(const Extensions* extensions, const Names& names, const LintContext& lint) {
  const auto is_spiffe = [](const std::string& uri) { return uri.starts_with("spiffe:"); };
  if (std::none_of(names.uris.begin(), names.uris.end(), is_spiffe)) return;
  lint.Expect(names.uris.size() == 1, "subjectAltName has a SPIFFE ID and another URI");
  for (const std::string& uri : names.uris)
    if (const Status checked = CheckSpiffeId(uri); !checked.ok())
      lint.Expect(false, "subjectAltName: " + checked.error().detail);
  const auto bits = ReadExtension<BitsPtr>(extensions, NID_key_usage);
  lint.Expect(bits && ASN1_BIT_STRING_get_bit(bits.get(), 0) == 1,
              "certificate with a SPIFFE ID lacks digitalSignature");
}

std::optional<AgentIdentity> IdentityIn(const Extensions* extensions, const LintContext& lint) {
  const std::string oid = AgentIdentityOid(lint.request.agent_arc);
  std::optional<AgentIdentity> found;
  for (int i = 0; i < X509v3_get_ext_count(extensions); ++i) {
    X509_EXTENSION* const extension = X509v3_get_ext(extensions, i);
    if (DottedOf(X509_EXTENSION_get_object(extension)) != oid) continue;
    lint.Expect(!found, "AgentIdentity is there twice");
    lint.Expect(X509_EXTENSION_get_critical(extension) == 0, "AgentIdentity is critical");
    auto identity = ParseAgentIdentity(View(X509_EXTENSION_get_data(extension)));
    if (lint.Expect(identity.ok(), "AgentIdentity cannot be read")) found = *std::move(identity);
  }
  lint.Expect(found.has_value(), "AgentIdentity is missing");
  return found;
}

void LintUsages(const Extensions* extensions, const LintContext& lint) {
  const auto bits = ReadExtension<BitsPtr>(extensions, NID_key_usage);
  const bool only_signature = bits && bits->length == 1 && bits->data[0] == 0x80;
  lint.Expect(only_signature, "keyUsage of an agent is not digitalSignature alone");
  std::vector<std::string> found;
  const auto usages = ReadExtension<UsagesPtr>(extensions, NID_ext_key_usage);
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i)
    found.push_back(DottedOf(sk_ASN1_OBJECT_value(usages.get(), i)));
  std::sort(found.begin(), found.end());
  const std::array<std::string_view, 2> wanted{oid::kServerAuth, oid::kClientAuth};
  lint.Expect(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()),
              "extKeyUsage of an agent is not clientAuth and serverAuth");
}

// Relying parties that cannot read the extension go by the policy: it must say the same level.
void LintLevel(const Extensions* extensions, int level, const LintContext& lint) {
  const std::string& arc = lint.request.agent_arc;
  std::vector<std::string> found;
  const auto policies = ReadExtension<PoliciesPtr>(extensions, NID_certificate_policies);
  for (int i = 0; i < sk_POLICYINFO_num(policies.get()); ++i) {
    std::string policy = DottedOf(sk_POLICYINFO_value(policies.get(), i)->policyid);
    if (policy.starts_with(arc + ".2.")) found.push_back(std::move(policy));
  }
  lint.Expect(found == std::vector<std::string>{LevelPolicyOid(arc, level)},
              "certificatePolicies has not the one policy of the level of evidence");
}

}  // namespace

void LintAgent(const Extensions* extensions, const LintContext& lint) {
  const Names names = NamesIn(extensions);
  LintSvid(extensions, names, lint);
  if (lint.request.agent_arc.empty()) return;
  const bool named = names.dns.size() == 1 && names.uris.size() == 1 && names.others == 0;
  lint.Expect(named, "subjectAltName of an agent is not one DNS name and one URI");
  LintUsages(extensions, lint);
  const auto identity = IdentityIn(extensions, lint);
  if (!identity || !named) return;
  lint.Expect(names.dns[0].starts_with(identity->agent + "." + identity->tenant + "."),
              "DNS name is not that of the agent in AgentIdentity");
  lint.Expect(names.uris[0].starts_with("spiffe://") &&
                  names.uris[0].ends_with("/t/" + identity->tenant + "/a/" + identity->agent),
              "SPIFFE ID is not that of the agent in AgentIdentity");
  LintLevel(extensions, identity->attestation.level, lint);
}

}  // namespace agentca::ca
