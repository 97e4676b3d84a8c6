#include "acme/admin/trust_json.h"

#include "acme/admin/agent_json.h"
#include "acme/admin/strict_json.h"

namespace agentca::acme::admin {
namespace {

void MemberUnlessEmpty(JsonWriter& json, std::string_view name, const std::string& value) {
  if (!value.empty()) json.Member(name, value);
}

Status ReadKeys(const JsonValue& value, ca::EvidenceSource& source) {
  if (const auto jwks = value.Find("jwks")) {
    if (!jwks->is_object()) return Error{Code::kMalformed, "jwks: must be a JSON object"};
    AGENTCA_ASSIGN(source.jwks, Within("jwks", JsonText(*jwks)));
  }
  AGENTCA_ASSIGN(source.jwks_url, TextOrNone(value, "jwksUrl"));
  AGENTCA_ASSIGN(source.ca_pem, TextOrNone(value, "caPem"));
  AGENTCA_ASSIGN(source.roots_pem, TextOrNone(value, "rootsPem"));
  return {};
}

}  // namespace

void WriteSource(JsonWriter& json, const ca::EvidenceSource& source) {
  json.BeginObject().Member("name", source.name).Member("format", source.format);
  MemberUnlessEmpty(json, "tenant", source.tenant);
  MemberUnlessEmpty(json, "issuer", source.issuer);
  if (!source.jwks.empty()) json.Key("jwks").Raw(source.jwks);
  MemberUnlessEmpty(json, "jwksUrl", source.jwks_url);
  MemberUnlessEmpty(json, "caPem", source.ca_pem);
  MemberUnlessEmpty(json, "rootsPem", source.roots_pem);
  MemberUnlessEmpty(json, "fixedAudience", source.fixed_audience);
  json.Key("maxLevel").Int(source.max_level).Key("required");
  WriteMatchers(json, source.required);
  json.EndObject();
}

Result<ca::EvidenceSource> ReadSource(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"name", "format", "tenant", "issuer", "jwks", "jwksUrl", "caPem",
                                   "rootsPem", "fixedAudience", "maxLevel", "required"}));
  ca::EvidenceSource source;
  AGENTCA_ASSIGN(source.name, value.String("name"));
  AGENTCA_ASSIGN(source.format, value.String("format"));
  AGENTCA_ASSIGN(source.tenant, TextOrNone(value, "tenant"));
  AGENTCA_ASSIGN(source.issuer, TextOrNone(value, "issuer"));
  AGENTCA_TRY(ReadKeys(value, source));
  AGENTCA_ASSIGN(source.fixed_audience, TextOrNone(value, "fixedAudience"));
  AGENTCA_ASSIGN(const auto level, value.OptionalInt("maxLevel"));
  if (level && (*level < 1 || *level > 4))
    return Error{Code::kMalformed, "maxLevel: must be from 1 to 4"};
  source.max_level = static_cast<int>(level.value_or(4));
  if (const auto required = value.Find("required")) {
    AGENTCA_ASSIGN(source.required, Within("required", ReadMatchers(*required)));
  }
  return source;
}

void WriteRule(JsonWriter& json, const ca::AdmissionRule& rule) {
  json.BeginObject().Member("name", rule.name).Member("source", rule.source).Key("claims");
  WriteMatchers(json, rule.claims);
  json.Member("tenant", rule.tenant_template)
      .Member("agent", rule.name_template)
      .Member("purpose", rule.purpose)
      .Member("sponsor", rule.sponsor)
      .Member("deployment", rule.deployment)
      .Key("class");
  WriteClass(json, rule.agent_class);
  json.Key("scopes").BeginArray();
  for (const std::string& scope : rule.scopes) json.String(scope);
  json.EndArray().EndObject();
}

Result<ca::AdmissionRule> ReadRule(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"name", "source", "claims", "tenant", "agent", "purpose",
                                   "sponsor", "deployment", "class", "scopes"}));
  ca::AdmissionRule rule;
  AGENTCA_ASSIGN(rule.name, value.String("name"));
  AGENTCA_ASSIGN(rule.source, value.String("source"));
  if (const auto claims = value.Find("claims")) {
    AGENTCA_ASSIGN(rule.claims, Within("claims", ReadMatchers(*claims)));
  }
  AGENTCA_ASSIGN(rule.tenant_template, value.String("tenant"));
  AGENTCA_ASSIGN(rule.name_template, value.String("agent"));
  AGENTCA_ASSIGN(rule.purpose, TextOrNone(value, "purpose"));
  AGENTCA_ASSIGN(rule.sponsor, value.String("sponsor"));
  AGENTCA_ASSIGN(rule.deployment, TextOrNone(value, "deployment"));
  const auto agent_class = value.Find("class");
  if (!agent_class) return Error{Code::kMalformed, "member \"class\" is missing"};
  AGENTCA_ASSIGN(rule.agent_class, Within("class", ReadClass(*agent_class)));
  AGENTCA_ASSIGN(rule.scopes, TextsOrNone(value, "scopes"));
  return rule;
}

}  // namespace agentca::acme::admin
