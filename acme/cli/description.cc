#include "acme/cli/description.h"

#include <iostream>
#include <iterator>
#include <limits>
#include <sstream>

#include "acme/admin/strict_json.h"
#include "acme/cli/config.h"
#include "acme/cli/files.h"

namespace agentca::cli {
namespace {

void TakeText(const Settings& settings, const char* option, std::string& out) {
  if (settings.Given(option)) out = settings.Text(option);
}

template <class T>
Status TakeWord(const Settings& settings, const char* option, Result<T> (*parse)(std::string_view),
                T& out) {
  if (!settings.Given(option)) return {};
  const auto value = parse(settings.Text(option));
  if (!value.ok()) return settings.Bad(option, value.error().detail);
  out = *value;
  return {};
}

Status TakeFile(const Settings& settings, const char* option, std::string& out) {
  if (!settings.Given(option)) return {};
  AGENTCA_ASSIGN(out, ReadTextFile(settings.Text(option)));
  return {};
}

Status DescribeClass(const Settings& settings, ca::AgentClass& out) {
  AGENTCA_TRY(TakeWord(settings, "access", &ca::DegreeFromString, out.access));
  AGENTCA_TRY(TakeWord(settings, "decision", &ca::DegreeFromString, out.decision));
  AGENTCA_TRY(TakeWord(settings, "risk", &ca::DegreeFromString, out.risk));
  return TakeWord(settings, "lifespan", &ca::LifespanFromString, out.lifespan);
}

// "SOURCE CLAIM=PATTERN CLAIM=PATTERN"
Result<ca::EvidenceRule> ParseEvidenceRule(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
  if (words.empty() || words.front().find('=') != std::string::npos)
    return Error{Code::kMalformed, "'" + text + "' is not SOURCE CLAIM=PATTERN ..."};
  ca::EvidenceRule rule{words.front(), {}};
  words.erase(words.begin());
  AGENTCA_ASSIGN(rule.claims, ParseMatchers(words));
  return rule;
}

// "model=sha256:HEX"
Result<ca::Component> ParseComponent(const std::string& text) {
  const size_t sign = text.find('='), colon = text.find(':');
  const Error bad{Code::kMalformed, "'" + text + "' is not KIND=ALGORITHM:HEX"};
  if (sign == std::string::npos || colon == std::string::npos || colon < sign) return bad;
  AGENTCA_ASSIGN(const auto kind, ca::ComponentKindFromString(text.substr(0, sign)));
  const auto digest = FromHex(text.substr(colon + 1));
  if (!digest.ok()) return bad;
  return ca::Component{kind, text.substr(sign + 1, colon - sign - 1), *digest,
                       ca::Basis::kDeclared};
}

template <class T>
Status TakeEach(const Settings& settings, const char* option,
                Result<T> (*parse)(const std::string&), std::vector<T>& out) {
  if (!settings.Given(option)) return {};
  out.clear();
  for (const std::string& text : settings.List(option)) {
    auto value = parse(text);
    if (!value.ok()) return settings.Bad(option, value.error().detail);
    out.push_back(std::move(value).value());
  }
  return {};
}

Status TakeMatchers(const Settings& settings, std::vector<ca::ClaimMatcher>& out) {
  if (!settings.Given("claim")) return {};
  auto matchers = ParseMatchers(settings.List("claim"));
  if (!matchers.ok()) return settings.Bad("claim", matchers.error().detail);
  out = *std::move(matchers);
  return {};
}

// A file's keys are kept as they are today; those of a URL are fetched anew.
Status TakeKeys(const Settings& settings, ca::EvidenceSource& source) {
  if (!settings.Given("jwks")) return {};
  const std::string text = settings.Text("jwks");
  source.jwks.clear();
  source.jwks_url.clear();
  if (text.starts_with("https://")) {
    source.jwks_url = text;
    return {};
  }
  AGENTCA_ASSIGN(const std::string json, ReadTextFile(text));
  const auto document = acme::JsonDocument::Parse(json);
  if (!document.ok()) return settings.Bad("jwks", document.error().detail);
  AGENTCA_ASSIGN(source.jwks, acme::admin::JsonText(document->root()));
  return {};
}

}  // namespace

Result<acme::JsonDocument> ReadJsonFile(const Settings& settings) {
  const std::string name = settings.Text("file");
  std::string text;
  if (name == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    AGENTCA_ASSIGN(text, ReadTextFile(name));
  }
  auto document = acme::JsonDocument::Parse(text);
  if (!document.ok()) return settings.Bad("file", document.error().detail);
  return document;
}

Result<std::vector<ca::ClaimMatcher>> ParseMatchers(const std::vector<std::string>& texts) {
  std::vector<ca::ClaimMatcher> out;
  for (const std::string& text : texts) {
    const size_t sign = text.find('=');
    if (sign == std::string::npos || sign == 0)
      return Error{Code::kMalformed, "'" + text + "' is not CLAIM=PATTERN"};
    out.push_back({text.substr(0, sign), text.substr(sign + 1)});
    for (size_t i = 0; i + 1 < out.size(); ++i)
      if (out[i].claim == out.back().claim)
        return Error{Code::kMalformed, "claim " + out.back().claim + " is there twice"};
  }
  return out;
}

std::string InWords(const std::vector<ca::ClaimMatcher>& matchers) {
  std::vector<std::string> texts;
  for (const auto& matcher : matchers) texts.push_back(matcher.claim + "=" + matcher.pattern);
  return Joined(texts);
}

std::string InWords(const ca::AgentClass& agent_class) {
  return "access " + std::string(ca::ToString(agent_class.access)) + ", decision " +
         std::string(ca::ToString(agent_class.decision)) + ", risk " +
         std::string(ca::ToString(agent_class.risk)) + ", " +
         std::string(ca::ToString(agent_class.lifespan));
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out.append(out.empty() ? "" : ", ").append(text);
  return out;
}

Status DescribeAgent(const Settings& settings, ca::Agent& agent) {
  TakeText(settings, "sponsor", agent.sponsor);
  TakeText(settings, "purpose", agent.purpose);
  TakeText(settings, "deployment", agent.deployment);
  TakeText(settings, "parent", agent.parent);
  TakeText(settings, "agent-profile", agent.profile);
  if (settings.Given("scope")) agent.scopes = settings.List("scope");
  if (settings.Given("max-depth")) {
    const auto depth =
        ParseCount(settings.Text("max-depth"), 0, std::numeric_limits<uint32_t>::max());
    if (!depth.ok()) return settings.Bad("max-depth", depth.error().detail);
    agent.max_depth = static_cast<uint32_t>(*depth);
  }
  AGENTCA_TRY(TakeEach(settings, "evidence", &ParseEvidenceRule, agent.evidence));
  AGENTCA_TRY(TakeEach(settings, "component", &ParseComponent, agent.components));
  return DescribeClass(settings, agent.agent_class);
}

Status DescribeRule(const Settings& settings, ca::AdmissionRule& rule) {
  TakeText(settings, "source", rule.source);
  TakeText(settings, "tenant-template", rule.tenant_template);
  TakeText(settings, "agent-template", rule.name_template);
  TakeText(settings, "sponsor", rule.sponsor);
  TakeText(settings, "purpose", rule.purpose);
  TakeText(settings, "deployment", rule.deployment);
  if (settings.Given("scope")) rule.scopes = settings.List("scope");
  AGENTCA_TRY(TakeMatchers(settings, rule.claims));
  return DescribeClass(settings, rule.agent_class);
}

Status DescribeSource(const Settings& settings, ca::EvidenceSource& source) {
  TakeText(settings, "format", source.format);
  TakeText(settings, "tenant", source.tenant);
  TakeText(settings, "issuer", source.issuer);
  TakeText(settings, "fixed-audience", source.fixed_audience);
  AGENTCA_TRY(TakeKeys(settings, source));
  AGENTCA_TRY(TakeFile(settings, "jwks-ca", source.ca_pem));
  AGENTCA_TRY(TakeFile(settings, "roots", source.roots_pem));
  if (settings.Given("max-level")) {
    const auto level = ParseCount(settings.Text("max-level"), 1, 4);
    if (!level.ok()) return settings.Bad("max-level", level.error().detail);
    source.max_level = static_cast<int>(*level);
  }
  return TakeMatchers(settings, source.required);
}

}  // namespace agentca::cli
