#include "ca/agent.h"

#include <algorithm>
#include <array>

#include "ca/agent_template.h"
#include "ca/dns_name.h"

namespace agentca::ca {
namespace {

// Values as words and back, by position.
constexpr std::array<std::string_view, 3> kDegrees{"low", "medium", "high"};
constexpr std::array<std::string_view, 3> kLifespans{"ephemeral", "session", "persistent"};
constexpr std::array<std::string_view, 5> kKinds{"model", "image", "config", "prompt", "tools"};
constexpr std::array<std::string_view, 3> kBases{"declared", "signed", "attested"};
constexpr std::array<std::string_view, 3> kStatuses{"active", "suspended", "retired"};

template <class Value, size_t kCount>
Result<Value> FromWord(const std::array<std::string_view, kCount>& words, std::string_view text,
                       std::string_view what) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<Value>(found - words.begin());
  std::string detail = std::string(what) + " is none of ";
  for (const std::string_view word : words) detail.append(word).append(", ");
  detail.resize(detail.size() - 2);
  return Error{Code::kMalformed, std::move(detail)};
}

Error Mismatch(const std::string& detail) {
  return {Code::kBadAttestation, "claim mismatch: " + detail};
}

// Values are strangers' and may be long.
std::string Quoted(const std::string& value) {
  constexpr size_t kMaxShown = 100;
  if (value.size() > kMaxShown) return "a text of " + std::to_string(value.size()) + " octets";
  return '"' + value + '"';
}

Result<std::string> LabelBy(const std::string& text, const char* what, const Claims& claims) {
  AGENTCA_ASSIGN(const auto parts, ParseTemplate(text));
  AGENTCA_ASSIGN(std::string label, FillTemplate(parts, claims));
  if (IsAgentLabel(label)) return label;
  return Mismatch("the rule's template " + Quoted(text) + " makes " + Quoted(label) +
                  ", which is no name for " + what);
}

// Every claim of the templates, as a matcher of the one value it has here.
Result<std::vector<ClaimMatcher>> PinnedClaims(const AdmissionRule& rule, const Claims& claims) {
  std::vector<ClaimMatcher> pinned;
  for (const std::string* text : {&rule.tenant_template, &rule.name_template}) {
    AGENTCA_ASSIGN(const auto parts, ParseTemplate(*text));
    for (const TemplatePart& part : parts) {
      if (!part.is_claim) continue;
      AGENTCA_ASSIGN(std::string value, FillTemplate({part}, claims));
      ClaimMatcher matcher{part.text, std::move(value)};
      if (std::find(pinned.begin(), pinned.end(), matcher) == pinned.end()) {
        pinned.push_back(std::move(matcher));
      }
    }
  }
  return pinned;
}

}  // namespace

// ---- Names --------------------------------------------------------------------------------------

// A label must also stand in a certificate's DNS name: A-labels are decoded, "ab--c" is reserved.
bool IsAgentLabel(std::string_view text) {
  return text.find('.') == std::string_view::npos &&
         CheckDnsName(std::string(text) + ".a", false).ok();
}

Result<AgentId> ParseAgentId(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && IsAgentLabel(text.substr(0, slash)) &&
      IsAgentLabel(text.substr(slash + 1))) {
    return AgentId{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
  }
  return Error{Code::kMalformed,
               "an agent is named TENANT/NAME: lower-case letters, digits and inner hyphens, each "
               "at most 63 octets"};
}

AgentNaming::AgentNaming(std::string zone, std::string trust_domain)
    : zone_(ToLowerAscii(zone)), trust_domain_(std::move(trust_domain)) {}

// In either case, because letting a name pass as an ordinary one is the mistake that must not be.
bool AgentNaming::IsInZone(std::string_view dns_name) const {
  if (zone_.empty()) return false;
  const std::string name = ToLowerAscii(dns_name);
  if (name == zone_) return true;
  return name.size() > zone_.size() && name.ends_with(zone_) &&
         name[name.size() - zone_.size() - 1] == '.';
}

std::optional<AgentId> AgentNaming::AgentOf(std::string_view dns_name) const {
  if (dns_name.size() <= zone_.size() + 1 || !IsInZone(dns_name)) return std::nullopt;
  const std::string_view labels = dns_name.substr(0, dns_name.size() - zone_.size() - 1);
  const size_t dot = labels.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view name = labels.substr(0, dot), tenant = labels.substr(dot + 1);
  if (!IsAgentLabel(name) || !IsAgentLabel(tenant)) return std::nullopt;
  return AgentId{std::string(tenant), std::string(name)};
}

std::string AgentNaming::DnsNameOf(const AgentId& id) const {
  return id.name + '.' + id.tenant + '.' + zone_;
}

std::string AgentNaming::SpiffeIdOf(const AgentId& id) const {
  return "spiffe://" + trust_domain_ + "/t/" + id.tenant + "/a/" + id.name;
}

// ---- Values as words ----------------------------------------------------------------------------

std::string_view ToString(Degree degree) { return kDegrees[static_cast<size_t>(degree)]; }
std::string_view ToString(Lifespan span) { return kLifespans[static_cast<size_t>(span)]; }
std::string_view ToString(ComponentKind kind) { return kKinds[static_cast<size_t>(kind)]; }
std::string_view ToString(Basis basis) { return kBases[static_cast<size_t>(basis)]; }
std::string_view ToString(AgentStatus status) { return kStatuses[static_cast<size_t>(status)]; }

Result<Degree> DegreeFromString(std::string_view text) {
  return FromWord<Degree>(kDegrees, text, "degree");
}
Result<Lifespan> LifespanFromString(std::string_view text) {
  return FromWord<Lifespan>(kLifespans, text, "lifespan");
}
Result<ComponentKind> ComponentKindFromString(std::string_view text) {
  return FromWord<ComponentKind>(kKinds, text, "kind of component");
}
Result<Basis> BasisFromString(std::string_view text) {
  return FromWord<Basis>(kBases, text, "basis");
}
Result<AgentStatus> AgentStatusFromString(std::string_view text) {
  return FromWord<AgentStatus>(kStatuses, text, "status");
}

// ---- Claims -------------------------------------------------------------------------------------

bool ClaimMatcher::Matches(const Claims& claims) const {
  const auto found = claims.find(claim);
  if (found == claims.end()) return false;
  const std::string_view wanted = pattern;
  return std::any_of(found->second.begin(), found->second.end(), [&](const std::string& value) {
    return wanted.ends_with('*') ? value.starts_with(wanted.substr(0, wanted.size() - 1))
                                 : value == wanted;
  });
}

const ClaimMatcher* FirstMismatch(const std::vector<ClaimMatcher>& matchers, const Claims& claims) {
  for (const ClaimMatcher& each : matchers) {
    if (!each.Matches(claims)) return &each;
  }
  return nullptr;
}

// ---- Admission ----------------------------------------------------------------------------------

Result<AgentId> NameByRule(const AdmissionRule& rule, const Claims& claims) {
  if (const ClaimMatcher* failed = FirstMismatch(rule.claims, claims)) {
    return Mismatch("claim \"" + failed->claim +
                    "\" is not what the rule wants: " + Quoted(failed->pattern));
  }
  AgentId id;
  AGENTCA_ASSIGN(id.tenant, LabelBy(rule.tenant_template, "a tenant", claims));
  AGENTCA_ASSIGN(id.name, LabelBy(rule.name_template, "an agent", claims));
  return id;
}

Result<Agent> AdmittedAgent(const AdmissionRule& rule, const Claims& claims) {
  Agent agent{.id = {},
              .purpose = rule.purpose,
              .sponsor = rule.sponsor,
              .deployment = rule.deployment,
              .agent_class = rule.agent_class,
              .profile = {},
              .scopes = rule.scopes,
              .evidence = {},
              .components = {},
              .parent = {},
              .max_depth = {},
              .admitted_by = rule.name};
  AGENTCA_ASSIGN(agent.id, NameByRule(rule, claims));
  AGENTCA_ASSIGN(auto matchers, PinnedClaims(rule, claims));
  for (const ClaimMatcher& each : rule.claims) {
    const bool pinned = std::any_of(matchers.begin(), matchers.end(),
                                    [&](const auto& pin) { return pin.claim == each.claim; });
    if (!pinned) matchers.push_back(each);
  }
  agent.evidence.push_back({rule.source, std::move(matchers)});
  return agent;
}

}  // namespace agentca::ca
