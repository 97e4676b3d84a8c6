// Reading the AgentIdentity extension: OpenSSL's templates take the DER apart; it is accepted when
// what was read is written with the same octets.
#include <openssl/asn1t.h>

#include <algorithm>

#include "ca/agent_identity.h"
#include "ca/asn1_forms.h"

namespace agentca::ca {
namespace {

struct ClassForm {
  ASN1_ENUMERATED *access, *decision, *risk, *lifespan;
};

struct ComponentForm {
  ASN1_ENUMERATED* kind;
  ASN1_OBJECT* hash_algorithm;
  ASN1_OCTET_STRING* digest;
  ASN1_ENUMERATED* basis;
};
DEFINE_STACK_OF(ComponentForm)

struct AttestationForm {
  ASN1_UTF8STRING* format;
  ASN1_INTEGER* level;
  ASN1_GENERALIZEDTIME* verified_at;
  ASN1_BOOLEAN key_bound;
  ASN1_OCTET_STRING* evidence_hash;
};

struct IdentityForm {
  ASN1_INTEGER* version;
  ASN1_UTF8STRING *agent, *tenant, *sponsor, *deployment;
  ClassForm* agent_class;
  STACK_OF(ASN1_UTF8STRING) * scopes;
  STACK_OF(ComponentForm) * components;
  ASN1_OCTET_STRING* parent;
  ASN1_INTEGER* max_depth;
  AttestationForm* attestation;
};

}  // namespace

// clang-format off
ASN1_SEQUENCE(ClassForm) = {
  ASN1_SIMPLE(ClassForm, access, ASN1_ENUMERATED),
  ASN1_SIMPLE(ClassForm, decision, ASN1_ENUMERATED),
  ASN1_SIMPLE(ClassForm, risk, ASN1_ENUMERATED),
  ASN1_SIMPLE(ClassForm, lifespan, ASN1_ENUMERATED),
} static_ASN1_SEQUENCE_END(ClassForm)

ASN1_SEQUENCE(ComponentForm) = {
  ASN1_SIMPLE(ComponentForm, kind, ASN1_ENUMERATED),
  ASN1_SIMPLE(ComponentForm, hash_algorithm, ASN1_OBJECT),
  ASN1_SIMPLE(ComponentForm, digest, ASN1_OCTET_STRING),
  ASN1_SIMPLE(ComponentForm, basis, ASN1_ENUMERATED),
} static_ASN1_SEQUENCE_END(ComponentForm)

ASN1_SEQUENCE(AttestationForm) = {
  ASN1_SIMPLE(AttestationForm, format, ASN1_UTF8STRING),
  ASN1_SIMPLE(AttestationForm, level, ASN1_INTEGER),
  ASN1_SIMPLE(AttestationForm, verified_at, ASN1_GENERALIZEDTIME),
  ASN1_SIMPLE(AttestationForm, key_bound, ASN1_BOOLEAN),
  ASN1_SIMPLE(AttestationForm, evidence_hash, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END(AttestationForm)

ASN1_SEQUENCE(IdentityForm) = {
  ASN1_SIMPLE(IdentityForm, version, ASN1_INTEGER),
  ASN1_SIMPLE(IdentityForm, agent, ASN1_UTF8STRING),
  ASN1_SIMPLE(IdentityForm, tenant, ASN1_UTF8STRING),
  ASN1_IMP_OPT(IdentityForm, sponsor, ASN1_UTF8STRING, 0),
  ASN1_IMP_OPT(IdentityForm, deployment, ASN1_UTF8STRING, 1),
  ASN1_IMP(IdentityForm, agent_class, ClassForm, 2),
  ASN1_IMP_SEQUENCE_OF_OPT(IdentityForm, scopes, ASN1_UTF8STRING, 3),
  ASN1_IMP_SEQUENCE_OF_OPT(IdentityForm, components, ComponentForm, 4),
  ASN1_IMP_OPT(IdentityForm, parent, ASN1_OCTET_STRING, 5),
  ASN1_IMP_OPT(IdentityForm, max_depth, ASN1_INTEGER, 6),
  ASN1_IMP(IdentityForm, attestation, AttestationForm, 7),
} static_ASN1_SEQUENCE_END(IdentityForm)
    // clang-format on

    namespace {
  struct FreeIdentity {
    void operator()(IdentityForm* form) const {
      ASN1_item_free(reinterpret_cast<ASN1_VALUE*>(form), IdentityForm_it());
    }
  };
  using IdentityPtr = std::unique_ptr<IdentityForm, FreeIdentity>;

  Error Malformed(std::string_view why) {
    return {Code::kMalformed, "agent identity " + std::string(why)};
  }

  std::string TextOf(const ASN1_STRING* string) {
    return string == nullptr ? "" : std::string(AsText(View(string)));
  }

  // `count` values from 0.
  template <class Enum>
  Result<Enum> EnumOf(const ASN1_ENUMERATED* value, int64_t count) {
    int64_t number = 0;
    if (ASN1_ENUMERATED_get_int64(&number, value) != 1 || number < 0 || number >= count)
      return Malformed("has a value outside its enumeration");
    return static_cast<Enum>(number);
  }

  Result<uint64_t> NumberOf(const ASN1_INTEGER* value, uint64_t most) {
    uint64_t number = 0;
    if (ASN1_INTEGER_get_uint64(&number, value) != 1 || number > most)
      return Malformed("has a number out of range");
    return number;
  }

  Result<AgentClass> ClassOf(const ClassForm& form) {
    AgentClass out;
    AGENTCA_ASSIGN(out.access, EnumOf<Degree>(form.access, 3));
    AGENTCA_ASSIGN(out.decision, EnumOf<Degree>(form.decision, 3));
    AGENTCA_ASSIGN(out.risk, EnumOf<Degree>(form.risk, 3));
    AGENTCA_ASSIGN(out.lifespan, EnumOf<Lifespan>(form.lifespan, 3));
    return out;
  }

  Result<Component> ComponentOf(const ComponentForm& form) {
    Component out;
    AGENTCA_ASSIGN(out.kind, EnumOf<ComponentKind>(form.kind, 5));
    const HashAlgorithm* const algorithm = HashAlgorithmOf(DottedOf(form.hash_algorithm));
    if (algorithm == nullptr) return Malformed("has a hash algorithm that is not known");
    out.hash_algorithm = algorithm->name;
    out.digest = ToBytes(View(form.digest));
    AGENTCA_ASSIGN(out.basis, EnumOf<Basis>(form.basis, 3));
    return out;
  }

  Result<AgentIdentity::Attested> AttestedOf(const AttestationForm& form) {
    AgentIdentity::Attested out;
    out.format = TextOf(form.format);
    AGENTCA_ASSIGN(const uint64_t level, NumberOf(form.level, 4));
    out.level = static_cast<int>(level);
    std::tm utc{};
    if (ASN1_TIME_to_tm(form.verified_at, &utc) != 1) return Malformed("has a time that is none");
    out.verified_at = Time{Seconds{timegm(&utc)}};
    out.key_bound = form.key_bound != 0;
    out.evidence_hash = ToBytes(View(form.evidence_hash));
    return out;
  }

  Result<AgentIdentity> IdentityOf(const IdentityForm& form) {
    AGENTCA_ASSIGN(const uint64_t version, NumberOf(form.version, UINT32_MAX));
    if (version != 1) return Malformed("is of version " + std::to_string(version) + ", not 1");
    AgentIdentity out;
    out.agent = TextOf(form.agent);
    out.tenant = TextOf(form.tenant);
    out.sponsor = TextOf(form.sponsor);
    out.deployment = TextOf(form.deployment);
    AGENTCA_ASSIGN(out.agent_class, ClassOf(*form.agent_class));
    for (int i = 0; i < sk_ASN1_UTF8STRING_num(form.scopes); ++i)
      out.scopes.push_back(TextOf(sk_ASN1_UTF8STRING_value(form.scopes, i)));
    for (int i = 0; i < sk_ComponentForm_num(form.components); ++i) {
      AGENTCA_ASSIGN(Component component, ComponentOf(*sk_ComponentForm_value(form.components, i)));
      out.components.push_back(std::move(component));
    }
    if (form.parent != nullptr) out.parent = ToBytes(View(form.parent));
    if (form.max_depth != nullptr) {
      AGENTCA_ASSIGN(const uint64_t depth, NumberOf(form.max_depth, UINT32_MAX));
      out.max_depth = static_cast<uint32_t>(depth);
    }
    AGENTCA_ASSIGN(out.attestation, AttestedOf(*form.attestation));
    return out;
  }

}  // namespace

Result<AgentIdentity> ParseAgentIdentity(ByteView value) {
  if (value.size() > kMaxAgentIdentity) return Malformed("is longer than 32 KiB");
  const openssl::ErrorScope errors;
  const unsigned char* cursor = value.data();
  const IdentityPtr form(reinterpret_cast<IdentityForm*>(
      ASN1_item_d2i(nullptr, &cursor, static_cast<long>(value.size()), IdentityForm_it())));
  if (!form || cursor != value.data() + value.size()) return Malformed("is not one AgentIdentity");
  AGENTCA_ASSIGN(AgentIdentity identity, IdentityOf(*form));
  // Also refuses what may not be said, and empty members that would have been left out.
  AGENTCA_ASSIGN(const Bytes canonical, EncodeAgentIdentityValue(identity));
  if (!std::equal(canonical.begin(), canonical.end(), value.begin(), value.end()))
    return Malformed("is not DER as this authority writes it");
  return identity;
}

Result<std::optional<AgentIdentity>> AgentIdentityOf(ByteView certificate_der,
                                                     std::string_view arc) {
  const openssl::ErrorScope errors;
  const FormPtr<CertificateForm> form = ParseCertificate(certificate_der);
  if (!form) return Error{Code::kMalformed, "certificate is not one DER Certificate"};
  const std::string oid = AgentIdentityOid(arc);
  std::optional<AgentIdentity> found;
  const STACK_OF(X509_EXTENSION)* const extensions = form->tbs->extensions;
  for (int i = 0; i < X509v3_get_ext_count(extensions); ++i) {
    X509_EXTENSION* const extension = X509v3_get_ext(extensions, i);
    if (DottedOf(X509_EXTENSION_get_object(extension)) != oid) continue;
    if (found) return Malformed("is there twice");
    if (X509_EXTENSION_get_critical(extension) != 0) return Malformed("is critical");
    AGENTCA_ASSIGN(found, ParseAgentIdentity(View(X509_EXTENSION_get_data(extension))));
  }
  return found;
}

}  // namespace agentca::ca
