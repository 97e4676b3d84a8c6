#include "acme/admin/agent_json.h"

#include <limits>

#include "acme/admin/strict_json.h"

namespace agentca::acme::admin {
namespace {

// A word of an enumeration: `parse` is one of ca's FromString.
template <class T>
Result<T> Word(const JsonValue& object, std::string_view name,
               Result<T> (*parse)(std::string_view)) {
  AGENTCA_ASSIGN(const std::string text, object.String(name));
  return Within(name, parse(text));
}

Result<Time> Instant(const JsonValue& object, std::string_view name) {
  AGENTCA_ASSIGN(const auto text, object.OptionalString(name));
  if (!text) return Time{};
  return Within(name, FromRfc3339(*text));
}

Result<ca::EvidenceRule> ReadEvidenceRule(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"source", "claims"}));
  ca::EvidenceRule rule;
  AGENTCA_ASSIGN(rule.source, value.String("source"));
  if (const auto claims = value.Find("claims")) {
    AGENTCA_ASSIGN(rule.claims, Within("claims", ReadMatchers(*claims)));
  }
  return rule;
}

Result<ca::Component> ReadComponent(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"kind", "hashAlgorithm", "digest", "basis"}));
  ca::Component component;
  AGENTCA_ASSIGN(component.kind, Word(value, "kind", &ca::ComponentKindFromString));
  AGENTCA_ASSIGN(component.hash_algorithm, value.String("hashAlgorithm"));
  AGENTCA_ASSIGN(const std::string digest, value.String("digest"));
  AGENTCA_ASSIGN(component.digest, Within("digest", FromHex(digest)));
  if (value.Find("basis")) {
    AGENTCA_ASSIGN(component.basis, Word(value, "basis", &ca::BasisFromString));
  }
  return component;
}

// Every element by `read`; the error names its place: "evidence[1]: …".
template <class T>
Result<std::vector<T>> Each(const JsonValue& object, const std::string& name,
                            Result<T> (*read)(const JsonValue&)) {
  std::vector<T> out;
  const auto member = object.Find(name);
  if (!member) return out;
  if (!member->is_array())
    return Error{Code::kMalformed, "member \"" + name + "\" must be an array"};
  for (const JsonValue& element : member->elements()) {
    auto value = read(element);
    if (!value.ok())
      return Within(name + "[" + std::to_string(out.size()) + "]", std::move(value).error());
    out.push_back(std::move(value).value());
  }
  return out;
}

// What the registry, not the administrator, decides: there when an agent is read back.
Status ReadRecord(const JsonValue& value, ca::Agent& agent) {
  if (value.Find("status")) {
    AGENTCA_ASSIGN(agent.status, Word(value, "status", &ca::AgentStatusFromString));
  }
  AGENTCA_ASSIGN(agent.admitted_by, TextOrNone(value, "admittedBy"));
  AGENTCA_ASSIGN(const auto version, value.OptionalInt("version"));
  agent.version = version.value_or(0);
  AGENTCA_ASSIGN(agent.created_at, Instant(value, "createdAt"));
  AGENTCA_ASSIGN(agent.changed_at, Instant(value, "changedAt"));
  return {};
}

Status ReadDelegation(const JsonValue& value, ca::Agent& agent) {
  AGENTCA_ASSIGN(agent.parent, TextOrNone(value, "parent"));
  AGENTCA_ASSIGN(const auto depth, value.OptionalInt("maxDepth"));
  if (!depth) return {};
  if (*depth < 0 || *depth > std::numeric_limits<uint32_t>::max())
    return Error{Code::kMalformed, "member \"maxDepth\" must be from 0 to 4294967295"};
  agent.max_depth = static_cast<uint32_t>(*depth);
  return {};
}

void WriteTexts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.Key(name).BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

}  // namespace

void WriteClass(JsonWriter& json, const ca::AgentClass& agent_class) {
  json.BeginObject()
      .Member("access", ca::ToString(agent_class.access))
      .Member("decision", ca::ToString(agent_class.decision))
      .Member("risk", ca::ToString(agent_class.risk))
      .Member("lifespan", ca::ToString(agent_class.lifespan))
      .EndObject();
}

Result<ca::AgentClass> ReadClass(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"access", "decision", "risk", "lifespan"}));
  ca::AgentClass out;
  AGENTCA_ASSIGN(out.access, Word(value, "access", &ca::DegreeFromString));
  AGENTCA_ASSIGN(out.decision, Word(value, "decision", &ca::DegreeFromString));
  AGENTCA_ASSIGN(out.risk, Word(value, "risk", &ca::DegreeFromString));
  AGENTCA_ASSIGN(out.lifespan, Word(value, "lifespan", &ca::LifespanFromString));
  return out;
}

void WriteMatchers(JsonWriter& json, const std::vector<ca::ClaimMatcher>& matchers) {
  json.BeginObject();
  for (const auto& matcher : matchers) json.Member(matcher.claim, matcher.pattern);
  json.EndObject();
}

Result<std::vector<ca::ClaimMatcher>> ReadMatchers(const JsonValue& value) {
  if (!value.is_object()) return Error{Code::kMalformed, "must be a JSON object"};
  std::vector<ca::ClaimMatcher> out;
  for (const auto& [claim, pattern] : value.members()) {
    const auto text = pattern.AsString();
    if (!text)
      return Error{Code::kMalformed, "the pattern of \"" + std::string(claim) + "\" is no string"};
    out.push_back({std::string(claim), std::string(*text)});
  }
  return out;
}

void WriteComponents(JsonWriter& json, const std::vector<ca::Component>& components) {
  json.BeginArray();
  for (const auto& component : components)
    json.BeginObject()
        .Member("kind", ca::ToString(component.kind))
        .Member("hashAlgorithm", component.hash_algorithm)
        .Member("digest", ToHex(component.digest))
        .Member("basis", ca::ToString(component.basis))
        .EndObject();
  json.EndArray();
}

void WriteAgent(JsonWriter& json, const ca::Agent& agent) {
  json.BeginObject()
      .Member("tenant", agent.id.tenant)
      .Member("name", agent.id.name)
      .Member("purpose", agent.purpose)
      .Member("sponsor", agent.sponsor)
      .Member("deployment", agent.deployment)
      .Key("class");
  WriteClass(json, agent.agent_class);
  json.Member("profile", agent.profile);
  WriteTexts(json, "scopes", agent.scopes);
  json.Key("evidence").BeginArray();
  for (const auto& rule : agent.evidence) {
    json.BeginObject().Member("source", rule.source).Key("claims");
    WriteMatchers(json, rule.claims);
    json.EndObject();
  }
  json.EndArray().Key("components");
  WriteComponents(json, agent.components);
  json.Member("parent", agent.parent);
  if (agent.max_depth) json.Key("maxDepth").Int(*agent.max_depth);
  json.Member("status", ca::ToString(agent.status))
      .Member("admittedBy", agent.admitted_by)
      .Key("version")
      .Int(agent.version)
      .Member("createdAt", ToRfc3339(agent.created_at))
      .Member("changedAt", ToRfc3339(agent.changed_at))
      .EndObject();
}

Result<ca::Agent> ReadAgent(const JsonValue& value) {
  AGENTCA_TRY(
      CheckMembers(value, {"tenant", "name", "purpose", "sponsor", "deployment", "class", "profile",
                           "scopes", "evidence", "components", "parent", "maxDepth", "status",
                           "admittedBy", "version", "createdAt", "changedAt"}));
  ca::Agent agent;
  AGENTCA_ASSIGN(agent.id.tenant, value.String("tenant"));
  AGENTCA_ASSIGN(agent.id.name, value.String("name"));
  AGENTCA_ASSIGN(agent.purpose, TextOrNone(value, "purpose"));
  AGENTCA_ASSIGN(agent.sponsor, value.String("sponsor"));
  AGENTCA_ASSIGN(agent.deployment, TextOrNone(value, "deployment"));
  const auto agent_class = value.Find("class");
  if (!agent_class) return Error{Code::kMalformed, "member \"class\" is missing"};
  AGENTCA_ASSIGN(agent.agent_class, Within("class", ReadClass(*agent_class)));
  AGENTCA_ASSIGN(agent.profile, TextOrNone(value, "profile"));
  AGENTCA_ASSIGN(agent.scopes, TextsOrNone(value, "scopes"));
  AGENTCA_ASSIGN(agent.evidence, Each(value, "evidence", &ReadEvidenceRule));
  AGENTCA_ASSIGN(agent.components, Each(value, "components", &ReadComponent));
  AGENTCA_TRY(ReadDelegation(value, agent));
  AGENTCA_TRY(ReadRecord(value, agent));
  return agent;
}

void WriteEvent(JsonWriter& json, const ca::AgentEvent& event) {
  json.BeginObject().Key("sequence").Int(event.sequence);
  if (!event.agent.name.empty()) json.Member("agent", event.agent.ToString());
  json.Member("at", ToRfc3339(event.at))
      .Member("by", event.by)
      .Member("what", event.what)
      .Member("detail", event.detail)
      .EndObject();
}

Result<ca::AgentEvent> ReadEvent(const JsonValue& value) {
  AGENTCA_TRY(CheckMembers(value, {"sequence", "agent", "at", "by", "what", "detail"}));
  ca::AgentEvent event;
  AGENTCA_ASSIGN(const auto sequence, value.OptionalInt("sequence"));
  event.sequence = sequence.value_or(0);
  AGENTCA_ASSIGN(const auto agent, value.OptionalString("agent"));
  if (agent) {
    AGENTCA_ASSIGN(event.agent, Within("agent", ca::ParseAgentId(*agent)));
  }
  AGENTCA_ASSIGN(event.at, Instant(value, "at"));
  AGENTCA_ASSIGN(event.by, value.String("by"));
  AGENTCA_ASSIGN(event.what, value.String("what"));
  AGENTCA_ASSIGN(event.detail, TextOrNone(value, "detail"));
  return event;
}

}  // namespace agentca::acme::admin
