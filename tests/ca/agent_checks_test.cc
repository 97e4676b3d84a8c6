// What an administrator may say, field by field.
#include <gtest/gtest.h>

#include <functional>

#include "ca/agent.h"
#include "tests/fakes/agents.h"

namespace agentca::ca {
namespace {

const std::string kLong(257, 'x');

testing::AssertionResult Names(const Status& checked, const std::string& field) {
  if (checked.ok()) return testing::AssertionFailure() << "it was accepted";
  if (checked.error().code != Code::kMalformed || !checked.error().detail.starts_with(field)) {
    return testing::AssertionFailure() << checked.error().detail;
  }
  return testing::AssertionSuccess();
}

template <class Value>
using Changes = std::vector<std::pair<std::string, std::function<void(Value&)>>>;

TEST(CheckAgent, AcceptsWhatIsFullAndWhatIsBare) {
  EXPECT_TRUE(CheckAgent(fakes::FullAgent()).ok());
  EXPECT_TRUE(CheckAgent(fakes::SomeAgent()).ok());
  Agent agent = fakes::SomeAgent();
  agent.sponsor = std::string(256, 'x');
  agent.evidence.assign(64, {"k8s", std::vector<ClaimMatcher>(64, {"sub", "a"})});
  EXPECT_TRUE(CheckAgent(agent).ok());
}

TEST(CheckAgent, NamesTheFieldThatIsWrong) {
  const Changes<Agent> changes{
      {"tenant", [](Agent& agent) { agent.id.tenant = "Acme"; }},
      {"tenant", [](Agent& agent) { agent.id.tenant = ""; }},
      {"name", [](Agent& agent) { agent.id.name = "a.b"; }},
      {"name", [](Agent& agent) { agent.id.name = std::string(64, 'a'); }},
      {"purpose", [](Agent& agent) { agent.purpose = kLong; }},
      {"purpose", [](Agent& agent) { agent.purpose = std::string("\0", 1); }},
      {"sponsor: is missing", [](Agent& agent) { agent.sponsor = ""; }},
      {"sponsor", [](Agent& agent) { agent.sponsor = "a\nb"; }},
      {"deployment", [](Agent& agent) { agent.deployment = "\xff"; }},
      {"profile", [](Agent& agent) { agent.profile = "server"; }},
      {"scopes", [](Agent& agent) { agent.scopes = {""}; }},
      {"scopes",
       [](Agent& agent) {
         agent.scopes = {"a", "b", "a"};
       }},
      {"scopes", [](Agent& agent) { agent.scopes.assign(65, "a"); }},
      {"evidence", [](Agent& agent) { agent.evidence.assign(65, agent.evidence[0]); }},
      {"evidence: source", [](Agent& agent) { agent.evidence[0].source = "K8S"; }},
      {"evidence: k8s: claims: is missing", [](Agent& agent) { agent.evidence[0].claims = {}; }},
      {"evidence: k8s: claims: has more",
       [](Agent& agent) {
         agent.evidence[0].claims.assign(65, {"sub", "a"});
       }},
      {"evidence: k8s: claims: name", [](Agent& agent) { agent.evidence[0].claims[0].claim = ""; }},
      {"evidence: k8s: claims: pattern of claim \"sub\"",
       [](Agent& agent) { agent.evidence[0].claims[1].pattern = ""; }},
      {"evidence: k8s: claims: pattern of claim \"sub\"",
       [](Agent& agent) { agent.evidence[0].claims[1].pattern = "a*b"; }},
      {"evidence: k8s: claims: pattern of claim \"sub\"",
       [](Agent& agent) { agent.evidence[0].claims[1].pattern = "**"; }},
      {"evidence: k8s: claims: pattern of claim \"sub\"",
       [](Agent& agent) { agent.evidence[0].claims[1].pattern = kLong; }},
      {"components", [](Agent& agent) { agent.components.assign(65, agent.components[0]); }},
      {"components: model", [](Agent& agent) { agent.components[0].hash_algorithm = "md5"; }},
      {"components: model", [](Agent& agent) { agent.components[0].hash_algorithm = "sha384"; }},
      {"components: model", [](Agent& agent) { agent.components[0].digest = {}; }},
      {"components: model", [](Agent& agent) { agent.components[0].basis = Basis::kAttested; }},
      {"parent", [](Agent& agent) { agent.parent = "https://example.com/"; }},
      {"parent", [](Agent& agent) { agent.parent = "spiffe://"; }},
      {"parent", [](Agent& agent) { agent.parent = "spiffe://" + kLong; }}};
  for (const auto& [field, change] : changes) {
    Agent agent = fakes::FullAgent();
    change(agent);
    EXPECT_TRUE(Names(CheckAgent(agent), field)) << field;
  }
}

TEST(CheckAdmissionRule, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(CheckAdmissionRule(fakes::FleetRule()).ok());
  const Changes<AdmissionRule> changes{
      {"name", [](AdmissionRule& rule) { rule.name = "my fleet"; }},
      {"source", [](AdmissionRule& rule) { rule.source = ""; }},
      {"claims: is missing", [](AdmissionRule& rule) { rule.claims = {}; }},
      {"claims: pattern", [](AdmissionRule& rule) { rule.claims[0].pattern = "*-prod"; }},
      {"claims: has more",
       [](AdmissionRule& rule) {
         rule.claims.assign(65, {"a", "b"});
       }},
      {"claims: and templates",
       [](AdmissionRule& rule) {
         rule.claims.assign(63, {"a", "b"});
       }},
      {"tenant", [](AdmissionRule& rule) { rule.tenant_template = ""; }},
      {"tenant", [](AdmissionRule& rule) { rule.tenant_template = "{a"; }},
      {"agent: holds no", [](AdmissionRule& rule) { rule.name_template = "web"; }},
      {"agent", [](AdmissionRule& rule) { rule.name_template = "{a}.{b}"; }},
      {"agent", [](AdmissionRule& rule) { rule.name_template = "{" + kLong + "}"; }},
      {"sponsor", [](AdmissionRule& rule) { rule.sponsor = ""; }},
      {"scopes", [](AdmissionRule& rule) { rule.scopes = {"\n"}; }}};
  for (const auto& [field, change] : changes) {
    AdmissionRule rule = fakes::FleetRule();
    change(rule);
    EXPECT_TRUE(Names(CheckAdmissionRule(rule), field)) << field;
  }
  AdmissionRule one_tenant = fakes::FleetRule();
  one_tenant.tenant_template = "acme";
  EXPECT_TRUE(CheckAdmissionRule(one_tenant).ok());
}

TEST(CheckEvidenceSource, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(CheckEvidenceSource(fakes::TokenSource()).ok());
  EXPECT_TRUE(CheckEvidenceSource(fakes::FullSource()).ok());
  const Changes<EvidenceSource> changes{
      {"name", [](EvidenceSource& source) { source.name = "a/b"; }},
      {"format", [](EvidenceSource& source) { source.format = "JWT"; }},
      {"format", [](EvidenceSource& source) { source.format = ""; }},
      {"tenant", [](EvidenceSource& source) { source.tenant = "*"; }},
      {"issuer", [](EvidenceSource& source) { source.issuer = ""; }},
      {"issuer", [](EvidenceSource& source) { source.issuer = kLong; }},
      {"jwks: is missing", [](EvidenceSource& source) { source.jwks_url = ""; }},
      {"jwks: is longer", [](EvidenceSource& source) { source.jwks.assign(65537, 'x'); }},
      {"jwksUrl", [](EvidenceSource& source) { source.jwks = "{}"; }},
      {"jwksUrl", [](EvidenceSource& source) { source.jwks_url = "http://issuer.test/"; }},
      {"caPem: is missing", [](EvidenceSource& source) { source.ca_pem = ""; }},
      {"rootsPem", [](EvidenceSource& source) { source.roots_pem = std::string("\0", 1); }},
      {"rootsPem: is missing",
       [](EvidenceSource& source) {
         source.format = "x5c";
         source.fixed_audience = source.roots_pem = "";
       }},
      {"fixedAudience", [](EvidenceSource& source) { source.format = "jwt-svid"; }},
      {"maxLevel", [](EvidenceSource& source) { source.max_level = 0; }},
      {"maxLevel", [](EvidenceSource& source) { source.max_level = 5; }},
      {"required", [](EvidenceSource& source) { source.required[0].pattern = "*0"; }}};
  for (const auto& [field, change] : changes) {
    EvidenceSource source = fakes::FullSource();
    change(source);
    EXPECT_TRUE(Names(CheckEvidenceSource(source), field)) << field;
  }
}

TEST(CheckEvidenceSource, EveryFormatHasWhatItNeeds) {
  for (const char* format : {"jwt", "jwt-svid", "x5c", "statement", "eat", "tpm"}) {
    EvidenceSource source = fakes::TokenSource();
    source.format = format;
    source.roots_pem = "pem";
    EXPECT_TRUE(CheckEvidenceSource(source).ok()) << format;
  }
}

}  // namespace
}  // namespace agentca::ca
