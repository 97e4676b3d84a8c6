#include "storage/agent_words.h"

#include "ca/base/bytes.h"

namespace agentca::storage {
namespace {

constexpr size_t kMaxShown = 1000;  // octets of one value

std::string Words(const std::string& text) { return '"' + text + '"'; }

std::string Words(const ca::AgentClass& value) { return InWords(value); }

std::string Words(const std::optional<uint32_t>& value) {
  return value ? std::to_string(*value) : "none";
}

std::string Words(int value) { return std::to_string(value); }

std::string Words(const ca::ClaimMatcher& matcher) {
  return matcher.claim + '=' + Words(matcher.pattern);
}

std::string Words(const ca::Component& component) {
  return std::string(ca::ToString(component.kind)) + ' ' + component.hash_algorithm + ':' +
         ToHex(component.digest);
}

std::string Words(const ca::EvidenceRule& rule);

template <class Item>
std::string Words(const std::vector<Item>& items) {
  std::string text = "[";
  for (const Item& each : items) {
    if (text.size() > 1) text += ", ";
    text += Words(each);
  }
  return text + ']';
}

std::string Words(const ca::EvidenceRule& rule) { return rule.source + ' ' + Words(rule.claims); }

class Differences {
 public:
  template <class Value>
  Differences& Note(const char* field, const Value& before, const Value& after) {
    if (before == after) return *this;
    if (!text_.empty()) text_ += "; ";
    text_ += field;
    const std::string old = Words(before), now = Words(after);
    if (old.size() > kMaxShown || now.size() > kMaxShown) return *this;
    const bool was_empty = old == "\"\"" || old == "[]" || old == "none";
    text_ += was_empty ? ' ' + now : ' ' + old + " → " + now;
    return *this;
  }
  // Values that nobody reads in a line.
  Differences& Name(const char* field, const std::string& before, const std::string& after) {
    if (before == after) return *this;
    if (!text_.empty()) text_ += "; ";
    text_ += field;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string InWords(const ca::AgentClass& agent_class) {
  std::string text = "access ";
  text.append(ToString(agent_class.access)).append(", decision ");
  text.append(ToString(agent_class.decision)).append(", risk ");
  text.append(ToString(agent_class.risk)).append(", ").append(ToString(agent_class.lifespan));
  return text;
}

std::string Difference(const ca::Agent& before, const ca::Agent& after) {
  return Differences()
      .Note("purpose", before.purpose, after.purpose)
      .Note("sponsor", before.sponsor, after.sponsor)
      .Note("deployment", before.deployment, after.deployment)
      .Note("class", before.agent_class, after.agent_class)
      .Note("profile", before.profile, after.profile)
      .Note("scopes", before.scopes, after.scopes)
      .Note("evidence", before.evidence, after.evidence)
      .Note("components", before.components, after.components)
      .Note("parent", before.parent, after.parent)
      .Note("maxDepth", before.max_depth, after.max_depth)
      .text();
}

std::string Difference(const ca::AdmissionRule& before, const ca::AdmissionRule& after) {
  return Differences()
      .Note("source", before.source, after.source)
      .Note("claims", before.claims, after.claims)
      .Note("tenant", before.tenant_template, after.tenant_template)
      .Note("agent", before.name_template, after.name_template)
      .Note("purpose", before.purpose, after.purpose)
      .Note("sponsor", before.sponsor, after.sponsor)
      .Note("deployment", before.deployment, after.deployment)
      .Note("class", before.agent_class, after.agent_class)
      .Note("scopes", before.scopes, after.scopes)
      .text();
}

std::string Difference(const ca::EvidenceSource& before, const ca::EvidenceSource& after) {
  return Differences()
      .Note("format", before.format, after.format)
      .Note("tenant", before.tenant, after.tenant)
      .Note("issuer", before.issuer, after.issuer)
      .Name("jwks", before.jwks, after.jwks)
      .Note("jwksUrl", before.jwks_url, after.jwks_url)
      .Name("caPem", before.ca_pem, after.ca_pem)
      .Name("rootsPem", before.roots_pem, after.roots_pem)
      .Note("fixedAudience", before.fixed_audience, after.fixed_audience)
      .Note("maxLevel", before.max_level, after.max_level)
      .Note("required", before.required, after.required)
      .text();
}

}  // namespace agentca::storage
