#include "storage/agent_codec.h"

#include "acme/json.h"
#include "storage/codec.h"

namespace agentca::storage {

using acme::JsonDocument;
using acme::JsonValue;
using acme::JsonWriter;

namespace {

// Greater than 64 rules of 64 claims, and than the claims of the largest evidence.
constexpr acme::JsonLimits kLimits{.max_size = 16 * 1024 * 1024};

// ---- Writing ------------------------------------------------------------------------------------

void Write(JsonWriter& out, const ca::AgentClass& agent_class) {
  out.BeginObject();
  out.Member("access", ToString(agent_class.access));
  out.Member("decision", ToString(agent_class.decision));
  out.Member("risk", ToString(agent_class.risk));
  out.Member("lifespan", ToString(agent_class.lifespan));
  out.EndObject();
}

// A list, because two matchers may be about one claim.
void Write(JsonWriter& out, const std::vector<ca::ClaimMatcher>& matchers) {
  out.BeginArray();
  for (const ca::ClaimMatcher& each : matchers) {
    out.BeginObject().Member("claim", each.claim).Member("pattern", each.pattern).EndObject();
  }
  out.EndArray();
}

void Write(JsonWriter& out, const std::vector<std::string>& texts) {
  out.BeginArray();
  for (const std::string& each : texts) out.String(each);
  out.EndArray();
}

void Write(JsonWriter& out, const std::vector<ca::EvidenceRule>& rules) {
  out.BeginArray();
  for (const ca::EvidenceRule& each : rules) {
    out.BeginObject().Member("source", each.source).Key("claims");
    Write(out, each.claims);
    out.EndObject();
  }
  out.EndArray();
}

void Write(JsonWriter& out, const std::vector<ca::Component>& components) {
  out.BeginArray();
  for (const ca::Component& each : components) {
    out.BeginObject();
    out.Member("kind", ToString(each.kind));
    out.Member("hashAlgorithm", each.hash_algorithm);
    out.Member("digest", ToHex(each.digest));
    out.Member("basis", ToString(each.basis));
    out.EndObject();
  }
  out.EndArray();
}

// What agents and rules have in common.
template <class Registration>
void WriteCommon(JsonWriter& out, const Registration& registration) {
  out.Member("purpose", registration.purpose);
  out.Member("sponsor", registration.sponsor);
  out.Member("deployment", registration.deployment);
  out.Key("class");
  Write(out, registration.agent_class);
  out.Key("scopes");
  Write(out, registration.scopes);
}

// ---- Reading ------------------------------------------------------------------------------------

// Members of any type that are not there: the caller says what is damaged.
Result<JsonValue> Member(const JsonValue& value, std::string_view name) {
  if (const auto found = value.Find(name)) return *found;
  return Damaged(name);
}

Result<std::vector<JsonValue>> Elements(const JsonValue& value, std::string_view name) {
  AGENTCA_ASSIGN(const JsonValue list, Member(value, name));
  if (!list.is_array()) return Damaged(name);
  return list.elements();
}

Result<ca::AgentClass> ReadClass(const JsonValue& value) {
  ca::AgentClass read;
  AGENTCA_ASSIGN(const std::string access, value.String("access"));
  AGENTCA_ASSIGN(const std::string decision, value.String("decision"));
  AGENTCA_ASSIGN(const std::string risk, value.String("risk"));
  AGENTCA_ASSIGN(const std::string lifespan, value.String("lifespan"));
  AGENTCA_ASSIGN(read.access, ca::DegreeFromString(access));
  AGENTCA_ASSIGN(read.decision, ca::DegreeFromString(decision));
  AGENTCA_ASSIGN(read.risk, ca::DegreeFromString(risk));
  AGENTCA_ASSIGN(read.lifespan, ca::LifespanFromString(lifespan));
  return read;
}

Result<std::vector<ca::ClaimMatcher>> ReadMatchers(const JsonValue& value, std::string_view name) {
  std::vector<ca::ClaimMatcher> matchers;
  AGENTCA_ASSIGN(const auto elements, Elements(value, name));
  for (const JsonValue& each : elements) {
    ca::ClaimMatcher matcher;
    AGENTCA_ASSIGN(matcher.claim, each.String("claim"));
    AGENTCA_ASSIGN(matcher.pattern, each.String("pattern"));
    matchers.push_back(std::move(matcher));
  }
  return matchers;
}

Result<std::vector<std::string>> ReadTexts(const JsonValue& value, std::string_view name) {
  AGENTCA_ASSIGN(auto texts, value.OptionalStrings(name));
  if (!texts) return Damaged(name);
  return *std::move(texts);
}

Result<std::vector<ca::EvidenceRule>> ReadEvidence(const JsonValue& value) {
  std::vector<ca::EvidenceRule> rules;
  AGENTCA_ASSIGN(const auto elements, Elements(value, "evidence"));
  for (const JsonValue& each : elements) {
    ca::EvidenceRule rule;
    AGENTCA_ASSIGN(rule.source, each.String("source"));
    AGENTCA_ASSIGN(rule.claims, ReadMatchers(each, "claims"));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<std::vector<ca::Component>> ReadComponents(const std::vector<JsonValue>& elements) {
  std::vector<ca::Component> components;
  for (const JsonValue& each : elements) {
    ca::Component component;
    AGENTCA_ASSIGN(const std::string kind, each.String("kind"));
    AGENTCA_ASSIGN(component.hash_algorithm, each.String("hashAlgorithm"));
    AGENTCA_ASSIGN(const std::string digest, each.String("digest"));
    AGENTCA_ASSIGN(const std::string basis, each.String("basis"));
    AGENTCA_ASSIGN(component.kind, ca::ComponentKindFromString(kind));
    AGENTCA_ASSIGN(component.digest, FromHex(digest));
    AGENTCA_ASSIGN(component.basis, ca::BasisFromString(basis));
    components.push_back(std::move(component));
  }
  return components;
}

template <class Registration>
Status ReadCommon(const JsonValue& value, Registration& registration) {
  AGENTCA_ASSIGN(registration.purpose, value.String("purpose"));
  AGENTCA_ASSIGN(registration.sponsor, value.String("sponsor"));
  AGENTCA_ASSIGN(registration.deployment, value.String("deployment"));
  AGENTCA_ASSIGN(const JsonValue agent_class, Member(value, "class"));
  AGENTCA_ASSIGN(registration.agent_class, ReadClass(agent_class));
  AGENTCA_ASSIGN(registration.scopes, ReadTexts(value, "scopes"));
  return {};
}

Status ReadRegistration(const JsonValue& value, ca::Agent& agent) {
  AGENTCA_TRY(ReadCommon(value, agent));
  AGENTCA_ASSIGN(agent.profile, value.String("profile"));
  AGENTCA_ASSIGN(agent.evidence, ReadEvidence(value));
  AGENTCA_ASSIGN(const auto components, Elements(value, "components"));
  AGENTCA_ASSIGN(agent.components, ReadComponents(components));
  AGENTCA_ASSIGN(agent.parent, value.String("parent"));
  AGENTCA_ASSIGN(const auto depth, value.OptionalInt("maxDepth"));
  agent.max_depth.reset();
  if (!depth) return {};
  if (*depth < 0 || *depth > int64_t{UINT32_MAX}) return Damaged("maxDepth");
  agent.max_depth = static_cast<uint32_t>(*depth);
  return {};
}

Result<ca::AdmissionRule> ReadRule(const JsonValue& value) {
  ca::AdmissionRule rule;
  AGENTCA_TRY(ReadCommon(value, rule));
  AGENTCA_ASSIGN(rule.name, value.String("name"));
  AGENTCA_ASSIGN(rule.source, value.String("source"));
  AGENTCA_ASSIGN(rule.claims, ReadMatchers(value, "claims"));
  AGENTCA_ASSIGN(rule.tenant_template, value.String("tenant"));
  AGENTCA_ASSIGN(rule.name_template, value.String("agent"));
  return rule;
}

Result<ca::EvidenceSource> ReadSource(const JsonValue& value) {
  ca::EvidenceSource source;
  AGENTCA_ASSIGN(source.name, value.String("name"));
  AGENTCA_ASSIGN(source.format, value.String("format"));
  AGENTCA_ASSIGN(source.tenant, value.String("tenant"));
  AGENTCA_ASSIGN(source.issuer, value.String("issuer"));
  AGENTCA_ASSIGN(source.jwks, value.String("jwks"));
  AGENTCA_ASSIGN(source.jwks_url, value.String("jwksUrl"));
  AGENTCA_ASSIGN(source.ca_pem, value.String("caPem"));
  AGENTCA_ASSIGN(source.roots_pem, value.String("rootsPem"));
  AGENTCA_ASSIGN(source.fixed_audience, value.String("fixedAudience"));
  AGENTCA_ASSIGN(const auto level, value.OptionalInt("maxLevel"));
  if (!level || *level < 1 || *level > 4) return Damaged("maxLevel");
  source.max_level = static_cast<int>(*level);
  AGENTCA_ASSIGN(source.required, ReadMatchers(value, "required"));
  return source;
}

Result<ca::Claims> ReadClaims(const JsonValue& value) {
  if (!value.is_object()) return Damaged("claims");
  ca::Claims claims;
  for (const auto& [name, values] : value.members()) {
    AGENTCA_ASSIGN(claims[std::string(name)], ReadTexts(value, name));
  }
  return claims;
}

// Parses and reads; whatever is wrong with a column, it is damaged.
template <class Read>
auto ReadColumn(std::string_view json, const char* what, const Read& read)
    -> std::invoke_result_t<Read, JsonValue> {
  const auto document = JsonDocument::Parse(json, kLimits);
  if (!document.ok()) return Damaged(what);
  auto value = read(document->root());
  if (!value.ok()) return Damaged(what);
  return value;
}

}  // namespace

std::string RegistrationToJson(const ca::Agent& agent) {
  JsonWriter out;
  out.BeginObject();
  WriteCommon(out, agent);
  out.Member("profile", agent.profile).Key("evidence");
  Write(out, agent.evidence);
  out.Key("components");
  Write(out, agent.components);
  out.Member("parent", agent.parent);
  if (agent.max_depth) out.Key("maxDepth").Int(*agent.max_depth);
  out.EndObject();
  return std::move(out).Take();
}

Status RegistrationFromJson(std::string_view json, ca::Agent& agent) {
  return ReadColumn(json, "an agent",
                    [&](const JsonValue& value) { return ReadRegistration(value, agent); });
}

std::string ToJson(const ca::AdmissionRule& rule) {
  JsonWriter out;
  out.BeginObject();
  out.Member("name", rule.name).Member("source", rule.source).Key("claims");
  Write(out, rule.claims);
  out.Member("tenant", rule.tenant_template).Member("agent", rule.name_template);
  WriteCommon(out, rule);
  out.EndObject();
  return std::move(out).Take();
}

Result<ca::AdmissionRule> RuleFromJson(std::string_view json) {
  return ReadColumn(json, "an admission rule", ReadRule);
}

std::string ToJson(const ca::EvidenceSource& source) {
  JsonWriter out;
  out.BeginObject();
  out.Member("name", source.name);
  out.Member("format", source.format);
  out.Member("tenant", source.tenant);
  out.Member("issuer", source.issuer);
  out.Member("jwks", source.jwks);
  out.Member("jwksUrl", source.jwks_url);
  out.Member("caPem", source.ca_pem);
  out.Member("rootsPem", source.roots_pem);
  out.Member("fixedAudience", source.fixed_audience);
  out.Key("maxLevel").Int(source.max_level).Key("required");
  Write(out, source.required);
  out.EndObject();
  return std::move(out).Take();
}

Result<ca::EvidenceSource> SourceFromJson(std::string_view json) {
  return ReadColumn(json, "an evidence source", ReadSource);
}

std::string ToJson(const ca::Claims& claims) {
  JsonWriter out;
  out.BeginObject();
  for (const auto& [name, values] : claims) {
    out.Key(WithoutNul(name)).BeginArray();
    for (const std::string& each : values) out.String(WithoutNul(each));
    out.EndArray();
  }
  out.EndObject();
  return std::move(out).Take();
}

Result<ca::Claims> ClaimsFromJson(std::string_view json) {
  return ReadColumn(json, "the claims of an attestation", ReadClaims);
}

std::string ToJson(const std::vector<ca::Component>& components) {
  JsonWriter out;
  Write(out, components);
  return std::move(out).Take();
}

Result<std::vector<ca::Component>> ComponentsFromJson(std::string_view json) {
  const auto read = [](const JsonValue& value) -> Result<std::vector<ca::Component>> {
    if (!value.is_array()) return Damaged("components");
    return ReadComponents(value.elements());
  };
  return ReadColumn(json, "components", read);
}

}  // namespace agentca::storage
