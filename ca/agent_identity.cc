#include "ca/agent_identity.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "ca/base/utf8.h"
#include "ca/der.h"
#include "ca/issuance_policy.h"
#include "ca/oid.h"

namespace agentca::ca {
namespace {

constexpr uint64_t kVersion = 1;
constexpr size_t kMaxText = 256;  // octets, as of what an administrator may say
constexpr size_t kMaxItems = 128;
constexpr size_t kHashOctets = 32;
constexpr Time kEndOfYears{Seconds{253402300800}};  // 10000-01-01: GeneralizedTime has four digits
constexpr uint64_t kLargestArc = 0x7fffffff;

Error Malformed(std::string_view member, std::string_view why) {
  return {Code::kMalformed, "agent identity: " + std::string(member) + " " + std::string(why)};
}

// ---- What may be said ---------------------------------------------------------------------------

Status CheckText(std::string_view member, std::string_view text) {
  if (text.size() > kMaxText) return Malformed(member, "is longer than 256 octets");
  if (!IsPlainText(text)) return Malformed(member, "is not UTF-8 without control characters");
  return {};
}

Status CheckComponent(const Component& component) {
  const HashAlgorithm* const algorithm = HashAlgorithmNamed(component.hash_algorithm);
  if (algorithm == nullptr)
    return Malformed("components", "has a hash algorithm that is not known");
  if (component.digest.size() != algorithm->octets)
    return Malformed("components", "has a digest that is not of its algorithm's length");
  return {};
}

Status CheckAttested(const AgentIdentity::Attested& attested) {
  if (attested.format.empty()) return Malformed("attestation", "has no format");
  AGENTCA_TRY(CheckText("attestation format", attested.format));
  if (attested.level < kMinLevel || attested.level > kMaxLevel)
    return Malformed("attestation", "has a level that is not 1 to 4");
  if (attested.verified_at < Time{} || attested.verified_at >= kEndOfYears)
    return Malformed("attestation", "has a time that cannot be");
  if (attested.evidence_hash.size() != kHashOctets)
    return Malformed("attestation", "has a hash that is not 32 octets");
  return {};
}

Status Check(const AgentIdentity& identity) {
  if (!IsAgentLabel(identity.agent)) return Malformed("agent", "is not a label");
  if (!IsAgentLabel(identity.tenant)) return Malformed("tenant", "is not a label");
  AGENTCA_TRY(CheckText("sponsor", identity.sponsor));
  AGENTCA_TRY(CheckText("deployment", identity.deployment));
  if (identity.scopes.size() > kMaxItems) return Malformed("scopes", "has over 128 entries");
  for (const std::string& scope : identity.scopes) {
    if (scope.empty()) return Malformed("scopes", "has an empty one");
    AGENTCA_TRY(CheckText("scopes", scope));
  }
  if (identity.components.size() > kMaxItems)
    return Malformed("components", "has over 128 entries");
  for (const Component& component : identity.components) AGENTCA_TRY(CheckComponent(component));
  AGENTCA_TRY(CheckText("parent", AsText(identity.parent)));
  return CheckAttested(identity.attestation);
}

// ---- Writing ------------------------------------------------------------------------------------

// [n] IMPLICIT of a string type.
Bytes TaggedText(uint8_t n, std::string_view text) {
  return text.empty() ? Bytes{} : der::Tlv(der::Primitive(n), AsBytes(text));
}

// [n] IMPLICIT of a SEQUENCE; absent when it would be empty.
Bytes TaggedList(uint8_t n, const Bytes& content) {
  return content.empty() ? Bytes{} : der::Tlv(der::Constructed(n), content);
}

// [n] IMPLICIT INTEGER: the tag is all that differs.
Bytes TaggedInteger(uint8_t n, std::optional<uint32_t> value) {
  if (!value) return {};
  Bytes out = der::Integer(*value);
  out.front() = der::Primitive(n);
  return out;
}

template <class Enum>
Bytes Enumerated(Enum value) {
  return der::Enumerated(static_cast<uint8_t>(value));
}

Bytes ClassContent(const AgentClass& agent_class) {
  return der::Concat({Enumerated(agent_class.access), Enumerated(agent_class.decision),
                      Enumerated(agent_class.risk), Enumerated(agent_class.lifespan)});
}

Bytes ScopesContent(const std::vector<std::string>& scopes) {
  Bytes content;
  for (const std::string& scope : scopes) content = der::Concat({content, der::Utf8String(scope)});
  return content;
}

Bytes ComponentsContent(const std::vector<Component>& components) {
  Bytes content;
  for (const Component& component : components) {
    const Bytes one = der::Sequence(
        {Enumerated(component.kind), der::Oid(HashAlgorithmNamed(component.hash_algorithm)->oid),
         der::OctetString(component.digest), Enumerated(component.basis)});
    content.insert(content.end(), one.begin(), one.end());
  }
  return content;
}

Bytes AttestationContent(const AgentIdentity::Attested& attested) {
  return der::Concat({der::Utf8String(attested.format),
                      der::Integer(static_cast<uint64_t>(attested.level)),
                      der::GeneralizedTime(attested.verified_at), der::Boolean(attested.key_bound),
                      der::OctetString(attested.evidence_hash)});
}

}  // namespace

// ---- Object identifiers -------------------------------------------------------------------------

Status CheckAgentArc(std::string_view arc) {
  constexpr size_t kMaxArcText = 100;
  const auto refuse = [&](std::string_view why) {
    return Error{Code::kMalformed, "'" + std::string(arc) + "' " + std::string(why)};
  };
  if (arc.size() > kMaxArcText || !IsOid(arc)) return refuse("is not an object identifier");
  for (std::string_view rest = arc; !rest.empty();) {
    uint64_t part = 0;
    const char* const end = rest.data() + rest.size();
    const char* const next = std::from_chars(rest.data(), end, part).ptr;
    if (part > kLargestArc) return refuse("has a part beyond 31 bits, which Go cannot read");
    rest.remove_prefix(std::min(rest.size(), static_cast<size_t>(next - rest.data()) + 1));
  }
  for (const std::string_view taken : {"2.5.29", "1.3.6.1.5.5.7"})
    if (arc == taken || arc.starts_with(std::string(taken) + "."))
      return refuse("is not yours: standard extensions lie under it");
  return {};
}

std::string AgentIdentityOid(std::string_view arc) { return std::string(arc) + ".1"; }

std::string LevelPolicyOid(std::string_view arc, int level) {
  return std::string(arc) + ".2." + std::to_string(level);
}

// NIST's hashAlgs arc: 2.16.840.1.101.3.4.2.
const HashAlgorithm* HashAlgorithmNamed(std::string_view name) {
  const auto found = std::find_if(kHashAlgorithms.begin(), kHashAlgorithms.end(),
                                  [&](const HashAlgorithm& one) { return one.name == name; });
  return found == kHashAlgorithms.end() ? nullptr : &*found;
}

const HashAlgorithm* HashAlgorithmOf(std::string_view oid) {
  const auto found = std::find_if(kHashAlgorithms.begin(), kHashAlgorithms.end(),
                                  [&](const HashAlgorithm& one) { return one.oid == oid; });
  return found == kHashAlgorithms.end() ? nullptr : &*found;
}

// ---- The extension ------------------------------------------------------------------------------

Result<Bytes> EncodeAgentIdentityValue(const AgentIdentity& identity) {
  AGENTCA_TRY(Check(identity));
  Bytes value = der::Sequence(
      {der::Integer(kVersion), der::Utf8String(identity.agent), der::Utf8String(identity.tenant),
       TaggedText(0, identity.sponsor), TaggedText(1, identity.deployment),
       TaggedList(2, ClassContent(identity.agent_class)),
       TaggedList(3, ScopesContent(identity.scopes)),
       TaggedList(4, ComponentsContent(identity.components)),
       TaggedText(5, AsText(identity.parent)), TaggedInteger(6, identity.max_depth),
       TaggedList(7, AttestationContent(identity.attestation))});
  if (value.size() > kMaxAgentIdentity) return Malformed("extension", "is longer than 32 KiB");
  return value;
}

// RFC 5280 §4.1: Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }
Result<Bytes> EncodeAgentIdentity(std::string_view arc, const AgentIdentity& identity) {
  AGENTCA_TRY(CheckAgentArc(arc));
  AGENTCA_ASSIGN(const Bytes value, EncodeAgentIdentityValue(identity));
  return der::Sequence({der::Oid(AgentIdentityOid(arc)), der::OctetString(value)});
}

}  // namespace agentca::ca
