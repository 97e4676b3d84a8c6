#include "acme/cli/identity_words.h"

namespace agentca::cli {
namespace {

std::string Text(std::string_view text) { return std::string(text); }

std::string ClassInWords(const ca::AgentClass& agent_class) {
  return "access " + Text(ToString(agent_class.access)) + ", decision " +
         Text(ToString(agent_class.decision)) + ", risk " + Text(ToString(agent_class.risk)) +
         ", " + Text(ToString(agent_class.lifespan));
}

std::string ScopesInWords(const std::vector<std::string>& scopes) {
  std::string out;
  for (const std::string& scope : scopes) out.append(out.empty() ? "" : ", ").append(scope);
  return out;
}

void WriteClass(acme::JsonWriter& json, const ca::AgentClass& agent_class) {
  json.Key("class")
      .BeginObject()
      .Member("access", ToString(agent_class.access))
      .Member("decision", ToString(agent_class.decision))
      .Member("risk", ToString(agent_class.risk))
      .Member("lifespan", ToString(agent_class.lifespan))
      .EndObject();
}

void WriteComponents(acme::JsonWriter& json, const std::vector<ca::Component>& components) {
  json.Key("components").BeginArray();
  for (const ca::Component& component : components)
    json.BeginObject()
        .Member("kind", ToString(component.kind))
        .Member("hash_algorithm", component.hash_algorithm)
        .Member("digest", ToHex(component.digest))
        .Member("basis", ToString(component.basis))
        .EndObject();
  json.EndArray();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> IdentityInWords(
    const ca::AgentIdentity& identity) {
  const ca::AgentIdentity::Attested& attested = identity.attestation;
  std::vector<std::pair<std::string, std::string>> out;
  out.emplace_back("Agent", identity.tenant + "/" + identity.agent);
  if (!identity.sponsor.empty()) out.emplace_back("Sponsor", identity.sponsor);
  if (!identity.deployment.empty()) out.emplace_back("Deployment", identity.deployment);
  out.emplace_back("Class", ClassInWords(identity.agent_class));
  if (!identity.scopes.empty()) out.emplace_back("Scopes", ScopesInWords(identity.scopes));
  for (const ca::Component& component : identity.components)
    out.emplace_back("Component", Text(ToString(component.kind)) + " " + component.hash_algorithm +
                                      ":" + ToHex(component.digest) + ", " +
                                      Text(ToString(component.basis)));
  if (!identity.parent.empty()) out.emplace_back("Parent", AsText(identity.parent));
  if (identity.max_depth)
    out.emplace_back("Delegation", "at most " + std::to_string(*identity.max_depth) + " deep");
  out.emplace_back("Evidence", attested.format + ", level " + std::to_string(attested.level) +
                                   (attested.key_bound ? ", bound to the key" : "") +
                                   ", verified " + ToRfc3339(attested.verified_at));
  out.emplace_back("", "SHA-256 " + ToHex(attested.evidence_hash));
  return out;
}

void WriteIdentity(acme::JsonWriter& json, const ca::AgentIdentity& identity) {
  const ca::AgentIdentity::Attested& attested = identity.attestation;
  json.BeginObject().Member("agent", identity.agent).Member("tenant", identity.tenant);
  if (!identity.sponsor.empty()) json.Member("sponsor", identity.sponsor);
  if (!identity.deployment.empty()) json.Member("deployment", identity.deployment);
  WriteClass(json, identity.agent_class);
  if (!identity.scopes.empty()) {
    json.Key("scopes").BeginArray();
    for (const std::string& scope : identity.scopes) json.String(scope);
    json.EndArray();
  }
  if (!identity.components.empty()) WriteComponents(json, identity.components);
  if (!identity.parent.empty()) json.Member("parent", AsText(identity.parent));
  if (identity.max_depth) json.Key("max_depth").Int(*identity.max_depth);
  json.Key("attestation")
      .BeginObject()
      .Member("format", attested.format)
      .Key("level")
      .Int(attested.level)
      .Member("verified_at", ToRfc3339(attested.verified_at))
      .Key("key_bound")
      .Bool(attested.key_bound)
      .Member("evidence_hash", ToHex(attested.evidence_hash))
      .EndObject()
      .EndObject();
}

}  // namespace agentca::cli
