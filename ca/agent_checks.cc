// What an administrator may say of agents, rules and sources.
#include <algorithm>
#include <array>

#include "ca/agent.h"
#include "ca/agent_template.h"
#include "ca/base/utf8.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxText = 256;                // octets of a field
constexpr size_t kMaxItems = 64;                // of a list
constexpr size_t kMaxKeys = size_t{64} * 1024;  // octets of JWK Sets and PEM
constexpr std::array<std::string_view, 6> kFormats{"jwt",       "jwt-svid", "x5c",
                                                   "statement", "eat",      "tpm"};

Error Malformed(const std::string& field, const std::string& why) {
  return {Code::kMalformed, field + ": " + why};
}

Status CheckText(const std::string& field, std::string_view text) {
  if (text.size() > kMaxText) return Malformed(field, "is longer than 256 octets");
  if (IsPlainText(text)) return {};
  return Malformed(field, "is not plain text (UTF-8 without control characters)");
}

Status CheckSomeText(const std::string& field, std::string_view text) {
  if (text.empty()) return Malformed(field, "is missing");
  return CheckText(field, text);
}

Status CheckLabel(const std::string& field, std::string_view text) {
  if (IsAgentLabel(text)) return {};
  return Malformed(field,
                   "is not a label: lower-case letters, digits and inner hyphens, at most 63 "
                   "octets");
}

template <class Items>
Status CheckCount(const std::string& field, const Items& items) {
  if (items.size() <= kMaxItems) return {};
  return Malformed(field, "has more than " + std::to_string(kMaxItems) + " entries");
}

// A "*" elsewhere would match itself alone, which is not what its author had in mind.
Status CheckMatcher(const std::string& field, const ClaimMatcher& matcher) {
  AGENTCA_TRY(CheckSomeText(field + ": name of a claim", matcher.claim));
  const std::string place = field + ": pattern of claim \"" + matcher.claim + '"';
  AGENTCA_TRY(CheckSomeText(place, matcher.pattern));
  if (matcher.pattern.find('*') >= matcher.pattern.size() - 1) return {};
  return Malformed(place, "has a \"*\" that is not at its end");
}

Status CheckMatchers(const std::string& field, const std::vector<ClaimMatcher>& matchers) {
  AGENTCA_TRY(CheckCount(field, matchers));
  for (const ClaimMatcher& each : matchers) AGENTCA_TRY(CheckMatcher(field, each));
  return {};
}

Status CheckSomeMatchers(const std::string& field, const std::vector<ClaimMatcher>& matchers) {
  if (!matchers.empty()) return CheckMatchers(field, matchers);
  return Malformed(field, "is missing: say what sets the right evidence apart from all other");
}

Status CheckScopes(const std::vector<std::string>& scopes) {
  AGENTCA_TRY(CheckCount("scopes", scopes));
  for (const std::string& scope : scopes) {
    AGENTCA_TRY(CheckSomeText("scopes", scope));
    if (std::count(scopes.begin(), scopes.end(), scope) > 1) {
      return Malformed("scopes", "\"" + scope + "\" is there twice");
    }
  }
  return {};
}

size_t DigestSize(std::string_view hash_algorithm) {
  if (hash_algorithm == "sha256") return 32;
  if (hash_algorithm == "sha384") return 48;
  if (hash_algorithm == "sha512") return 64;
  return 0;
}

Status CheckComponent(const Component& component) {
  const std::string field = "components: " + std::string(ToString(component.kind));
  const size_t size = DigestSize(component.hash_algorithm);
  if (size == 0) return Malformed(field, "hashAlgorithm is none of sha256, sha384, sha512");
  if (component.digest.size() != size) {
    return Malformed(field, "digest does not have the " + std::to_string(size) + " octets of " +
                                component.hash_algorithm);
  }
  if (component.basis == Basis::kDeclared) return {};
  return Malformed(field, "basis is for evidence to say; a registration declares");
}

// What agents and the rules that admit them have in common.
template <class Registration>
Status CheckRegistration(const Registration& registration) {
  AGENTCA_TRY(CheckText("purpose", registration.purpose));
  AGENTCA_TRY(CheckSomeText("sponsor", registration.sponsor));
  AGENTCA_TRY(CheckText("deployment", registration.deployment));
  return CheckScopes(registration.scopes);
}

Status CheckParent(const std::string& parent) {
  constexpr std::string_view kScheme = "spiffe://";
  AGENTCA_TRY(CheckText("parent", parent));
  if (parent.empty() || (parent.starts_with(kScheme) && parent.size() > kScheme.size())) return {};
  return Malformed("parent", "is not a SPIFFE ID");
}

Status CheckTemplate(const std::string& field, const std::string& text) {
  AGENTCA_TRY(CheckText(field, text));
  if (const auto parts = ParseTemplate(text); !parts.ok()) {
    return Malformed(field, parts.error().detail);
  }
  return {};
}

size_t ClaimsOf(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '{'));
}

Status CheckKeyText(const std::string& field, const std::string& text) {
  if (text.size() > kMaxKeys) return Malformed(field, "is longer than 64 KiB");
  if (IsUtf8(text) && text.find('\0') == std::string::npos) return {};
  return Malformed(field, "is not text");
}

// Keys come from one place, and whoever serves them is known.
Status CheckJwks(const EvidenceSource& source) {
  AGENTCA_TRY(CheckKeyText("jwks", source.jwks));
  AGENTCA_TRY(CheckText("jwksUrl", source.jwks_url));
  AGENTCA_TRY(CheckKeyText("caPem", source.ca_pem));
  if (source.jwks_url.empty()) return {};
  if (!source.jwks.empty()) return Malformed("jwksUrl", "is not used beside jwks");
  if (!source.jwks_url.starts_with("https://")) return Malformed("jwksUrl", "is not https");
  if (source.ca_pem.empty()) return Malformed("caPem", "is missing: jwksUrl needs a pinned CA");
  return {};
}

// Without them nothing would ever be believed.
Status CheckWhatTheFormatNeeds(const EvidenceSource& source) {
  const bool token = source.format == "jwt" || source.format == "jwt-svid";
  if (token && source.issuer.empty()) return Malformed("issuer", "is missing");
  if (token || source.format == "statement") {
    if (source.jwks.empty() && source.jwks_url.empty()) {
      return Malformed("jwks", "is missing, and so is jwksUrl");
    }
  }
  if (source.format == "x5c" && source.roots_pem.empty()) {
    return Malformed("rootsPem", "is missing");
  }
  if (!source.fixed_audience.empty() && source.format != "jwt") {
    return Malformed("fixedAudience", "is for format jwt alone");
  }
  return {};
}

}  // namespace

Status CheckAgent(const Agent& agent) {
  AGENTCA_TRY(CheckLabel("tenant", agent.id.tenant));
  AGENTCA_TRY(CheckLabel("name", agent.id.name));
  AGENTCA_TRY(CheckRegistration(agent));
  if (!agent.profile.empty() && agent.profile != "annual-hsm") {
    return Malformed("profile", "is neither \"\" nor \"annual-hsm\"");
  }
  AGENTCA_TRY(CheckCount("evidence", agent.evidence));
  for (const EvidenceRule& each : agent.evidence) {
    AGENTCA_TRY(CheckLabel("evidence: source", each.source));
    AGENTCA_TRY(CheckSomeMatchers("evidence: " + each.source + ": claims", each.claims));
  }
  AGENTCA_TRY(CheckCount("components", agent.components));
  for (const Component& each : agent.components) AGENTCA_TRY(CheckComponent(each));
  return CheckParent(agent.parent);
}

Status CheckAdmissionRule(const AdmissionRule& rule) {
  AGENTCA_TRY(CheckLabel("name", rule.name));
  AGENTCA_TRY(CheckLabel("source", rule.source));
  AGENTCA_TRY(CheckSomeMatchers("claims", rule.claims));
  AGENTCA_TRY(CheckTemplate("tenant", rule.tenant_template));
  AGENTCA_TRY(CheckTemplate("agent", rule.name_template));
  const size_t naming = ClaimsOf(rule.tenant_template) + ClaimsOf(rule.name_template);
  if (ClaimsOf(rule.name_template) == 0) {
    return Malformed("agent", "holds no {claim}: register a single agent instead");
  }
  // The agent that it admits has them all.
  if (rule.claims.size() + naming > kMaxItems) {
    return Malformed("claims",
                     "and templates name more than " + std::to_string(kMaxItems) + " claims");
  }
  return CheckRegistration(rule);
}

Status CheckEvidenceSource(const EvidenceSource& source) {
  AGENTCA_TRY(CheckLabel("name", source.name));
  if (std::find(kFormats.begin(), kFormats.end(), source.format) == kFormats.end()) {
    return Malformed("format", "is none of jwt, jwt-svid, x5c, statement, eat, tpm");
  }
  if (!source.tenant.empty()) AGENTCA_TRY(CheckLabel("tenant", source.tenant));
  AGENTCA_TRY(CheckText("issuer", source.issuer));
  AGENTCA_TRY(CheckJwks(source));
  AGENTCA_TRY(CheckKeyText("rootsPem", source.roots_pem));
  AGENTCA_TRY(CheckText("fixedAudience", source.fixed_audience));
  AGENTCA_TRY(CheckWhatTheFormatNeeds(source));
  if (source.max_level < 1 || source.max_level > 4) return Malformed("maxLevel", "is not 1 to 4");
  return CheckMatchers("required", source.required);
}

}  // namespace agentca::ca
