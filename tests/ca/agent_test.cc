#include "ca/agent.h"

#include <gtest/gtest.h>

#include <functional>

#include "ca/agent_template.h"
#include "ca/base/utf8.h"
#include "tests/fakes/agents.h"

namespace agentca::ca {
namespace {

// ---- Names --------------------------------------------------------------------------------------

TEST(AgentLabel, IsADnsLabelThatACertificateMayHold) {
  for (const char* good : {"a", "0", "web-1", "a--b", "xn--mnchen-3ya"}) {
    EXPECT_TRUE(IsAgentLabel(good)) << good;
  }
  EXPECT_TRUE(IsAgentLabel(std::string(63, 'a')));
  EXPECT_FALSE(IsAgentLabel(std::string(64, 'a')));
  for (const char* bad : {"", "-a", "a-", "A", "a.b", ".", "a.", "a/b", "a b", "*", "a_b",
                          "\xc3\xa4", "ab--c", "xn--", "xn--\xff", "a\n", "..", "%2e"}) {
    EXPECT_FALSE(IsAgentLabel(bad)) << bad;
  }
  EXPECT_FALSE(IsAgentLabel(std::string_view("a\0b", 3)));
}

TEST(AgentId, IsWrittenAsTenantSlashName) {
  const AgentId id = ParseAgentId("acme/web").value();
  EXPECT_EQ(id, (AgentId{"acme", "web"}));
  EXPECT_EQ(ParseAgentId(id.ToString()).value(), id);
  for (const char* bad :
       {"", "/", "acme", "acme/", "/web", "a/b/c", "acme/Web", "acme /web", "acme/web/"}) {
    const auto parsed = ParseAgentId(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code, Code::kMalformed);
  }
}

const AgentNaming& Naming() {
  static const AgentNaming naming("agents.example.com", "example.com");
  return naming;
}

TEST(AgentNaming, NamesAnAgentInDnsAndSpiffe) {
  const AgentId id{"acme", "web"};
  EXPECT_EQ(Naming().DnsNameOf(id), "web.acme.agents.example.com");
  EXPECT_EQ(Naming().SpiffeIdOf(id), "spiffe://example.com/t/acme/a/web");
  EXPECT_EQ(Naming().AgentOf(Naming().DnsNameOf(id)), id);
}

TEST(AgentNaming, TheZoneIsAllThatEndsInItHoweverDeepAndInAnyCase) {
  for (const char* inside :
       {"agents.example.com", "acme.agents.example.com", "web.acme.agents.example.com",
        "a.b.c.d.agents.example.com", "*.agents.example.com", "WEB.acme.Agents.Example.COM"}) {
    EXPECT_TRUE(Naming().IsInZone(inside)) << inside;
  }
  for (const char* outside :
       {"", "example.com", "agents.example.com.evil.test", "myagents.example.com",
        "-agents.example.com", "agents.example.co", ".example.com", "agents.example.com."}) {
    EXPECT_FALSE(Naming().IsInZone(outside)) << outside;
  }
  EXPECT_FALSE(AgentNaming("", "example.com").IsInZone("a.b"));
  EXPECT_FALSE(AgentNaming("", "example.com").IsInZone(""));
}

TEST(AgentNaming, OnlyNamesOfTwoLabelsBelowTheZoneAreAgents) {
  for (const char* other :
       {"", "agents.example.com", ".agents.example.com", "acme.agents.example.com",
        "x.web.acme.agents.example.com", "*.acme.agents.example.com", "web.*.agents.example.com",
        ".acme.agents.example.com", "web..agents.example.com", "Web.acme.agents.example.com",
        "web.acme.agents.example.org", "web_1.acme.agents.example.com"}) {
    EXPECT_EQ(Naming().AgentOf(other), std::nullopt) << other;
  }
}

// ---- Words --------------------------------------------------------------------------------------

template <class Value>
void ExpectWords(std::initializer_list<std::string_view> words,
                 Result<Value> (*from)(std::string_view)) {
  int i = 0;
  for (const std::string_view word : words) {
    const auto value = from(word);
    ASSERT_TRUE(value.ok()) << word;
    EXPECT_EQ(static_cast<int>(*value), i++);
    EXPECT_EQ(ToString(*value), word);
  }
  for (const char* bad : {"", "HIGH", "low ", "none"}) {
    ASSERT_FALSE(from(bad).ok()) << bad;
    EXPECT_EQ(from(bad).error().code, Code::kMalformed);
    EXPECT_NE(from(bad).error().detail.find(*words.begin()), std::string::npos);
  }
}

TEST(AgentWords, AreReadAsTheyAreWritten) {
  ExpectWords({"low", "medium", "high"}, DegreeFromString);
  ExpectWords({"ephemeral", "session", "persistent"}, LifespanFromString);
  ExpectWords({"model", "image", "config", "prompt", "tools"}, ComponentKindFromString);
  ExpectWords({"declared", "signed", "attested"}, BasisFromString);
  ExpectWords({"active", "suspended", "retired"}, AgentStatusFromString);
}

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  for (const char* good : {"", "a b", "\u00fcml\u00e4ut", "\u2192", "\U0001f600", "\u00a0"}) {
    EXPECT_TRUE(IsPlainText(good)) << good;
  }
  for (const char* bad : {"\n", "\x1b[31m", "\x7f", "\xc2\x85", "\xc0\xaf", "\xed\xa0\x80", "\xff",
                          "\xf4\x90\x80\x80", "a\xe2\x82", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsPlainText(bad)) << bad;
  }
  EXPECT_FALSE(IsPlainText(std::string_view("\0", 1)));
  EXPECT_TRUE(IsUtf8("a\n"));
  EXPECT_FALSE(IsUtf8("a\xc3"));
}

// ---- Claims -------------------------------------------------------------------------------------

const Claims kClaims{{"iss", {"https://issuer.test"}},
                     {"kubernetes.io/namespace", {"prod"}},
                     {"groups", {"readers", "writers"}},
                     {"empty", {""}},
                     {"none", {}}};

bool Holds(const std::string& claim, const std::string& pattern) {
  return ClaimMatcher{claim, pattern}.Matches(kClaims);
}

TEST(ClaimMatcher, WantsTheWholeValueOrAPrefixBeforeAStar) {
  EXPECT_TRUE(Holds("kubernetes.io/namespace", "prod"));
  EXPECT_TRUE(Holds("kubernetes.io/namespace", "prod*"));
  EXPECT_TRUE(Holds("kubernetes.io/namespace", "p*"));
  EXPECT_TRUE(Holds("kubernetes.io/namespace", "*"));
  for (const char* other : {"pro", "prod-2", "Prod", "prod-*", "*prod", "p*d", "", "prod ", "**"}) {
    EXPECT_FALSE(Holds("kubernetes.io/namespace", other)) << other;
  }
}

TEST(ClaimMatcher, WantsOneOfSeveralValuesAndAClaimThatIsThere) {
  EXPECT_TRUE(Holds("groups", "writers"));
  EXPECT_FALSE(Holds("groups", "readers,writers"));
  EXPECT_FALSE(Holds("absent", "*"));
  EXPECT_FALSE(Holds("none", "*"));
  EXPECT_TRUE(Holds("empty", "*"));
  EXPECT_FALSE(Holds("Groups", "writers"));
}

TEST(ClaimMatcher, TheFirstThatDoesNotHoldIsNamed) {
  const std::vector<ClaimMatcher> matchers{
      {"iss", "https://issuer.test"}, {"groups", "admins"}, {"absent", "*"}};
  EXPECT_EQ(FirstMismatch(matchers, kClaims), &matchers[1]);
  EXPECT_EQ(FirstMismatch({matchers.begin(), matchers.begin() + 1}, kClaims), nullptr);
  EXPECT_EQ(FirstMismatch({}, {}), nullptr);
}

// ---- Templates ----------------------------------------------------------------------------------

TEST(Template, IsLabelTextAndClaimsInBraces) {
  const auto parts = ParseTemplate("team-{kubernetes.io/namespace}-{sub}").value();
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_FALSE(parts[0].is_claim);
  EXPECT_EQ(parts[0].text, "team-");
  EXPECT_TRUE(parts[1].is_claim);
  EXPECT_EQ(parts[1].text, "kubernetes.io/namespace");
  EXPECT_EQ(parts[2].text, "-");
  EXPECT_EQ(parts[3].text, "sub");
}

TEST(Template, RefusesWhatCannotMakeALabel) {
  for (const char* bad : {"", "{", "{}", "{a", "a}", "{a}}", "{{a}}", "{a{b}}", "A", "a.b", "a/{b}",
                          "{a}.{b}", "a b", "a*"}) {
    const auto parsed = ParseTemplate(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code, Code::kMalformed);
  }
}

// ---- Admission ----------------------------------------------------------------------------------

Claims PodClaims(const std::string& space, const std::string& account) {
  return {{"kubernetes.io/namespace", {space}}, {"kubernetes.io/serviceaccount/name", {account}}};
}

// The detail of the refusal.
std::string Refusal(const AdmissionRule& rule, const Claims& claims) {
  const auto id = NameByRule(rule, claims);
  if (id.ok()) return "named " + id->ToString();
  EXPECT_EQ(id.error().code, Code::kBadAttestation);
  EXPECT_TRUE(id.error().detail.starts_with("claim mismatch: ")) << id.error().detail;
  return id.error().detail;
}

TEST(Admission, ClaimsGiveTheName) {
  const AdmissionRule rule = fakes::FleetRule();
  EXPECT_EQ(NameByRule(rule, PodClaims("prod-eu", "web")).value(), (AgentId{"prod-eu", "bot-web"}));
}

TEST(Admission, RefusesClaimsThatMakeNoLabelAndSaysWhy) {
  const AdmissionRule rule = fakes::FleetRule();
  for (const char* account : {"Web", "we.b", "web/../x", "web-", "w eb", "*", "{a}", "web\n"}) {
    EXPECT_NE(Refusal(rule, PodClaims("prod-eu", account)).find("no name for an agent"),
              std::string::npos)
        << account;
  }
  EXPECT_NE(Refusal(rule, PodClaims("prod-", "web")).find("no name for a tenant"),
            std::string::npos);
  const std::string longer = Refusal(rule, PodClaims("prod-eu", std::string(100'000, 'a')));
  EXPECT_NE(longer.find("100004 octets"), std::string::npos);
  EXPECT_LT(longer.size(), 300U);
}

TEST(Admission, RefusesClaimsThatAreMissingEmptyOrSeveral) {
  const AdmissionRule rule = fakes::FleetRule();
  const std::string claim = "kubernetes.io/serviceaccount/name";
  const auto refusal = [&](const std::vector<std::string>& values) {
    Claims claims = PodClaims("prod-eu", "web");
    claims[claim] = values;
    const std::string detail = Refusal(rule, claims);
    EXPECT_NE(detail.find(claim), std::string::npos) << detail;
    return detail;
  };
  EXPECT_NE(refusal({}).find("is missing"), std::string::npos);
  EXPECT_NE(refusal({""}).find("is empty"), std::string::npos);
  EXPECT_NE(refusal({"web", "db"}).find("several values"), std::string::npos);
  Claims claims = PodClaims("prod-eu", "web");
  claims.erase(claim);
  EXPECT_NE(Refusal(rule, claims).find("is missing"), std::string::npos);
}

TEST(Admission, RefusesClaimsThatTheRuleDoesNotWant) {
  const std::string detail = Refusal(fakes::FleetRule(), PodClaims("dev", "web"));
  EXPECT_NE(detail.find("kubernetes.io/namespace"), std::string::npos) << detail;
  EXPECT_NE(detail.find("prod-*"), std::string::npos) << detail;
}

TEST(Admission, TheAgentIsTheRulesAndItsOwnClaims) {
  AdmissionRule rule = fakes::FleetRule();
  rule.claims.push_back({"iss", "https://issuer.*"});
  Claims claims = PodClaims("prod-eu", "web");
  claims["iss"] = {"https://issuer.test"};
  const Agent agent = AdmittedAgent(rule, claims).value();
  EXPECT_TRUE(CheckAgent(agent).ok());
  EXPECT_EQ(agent.id, (AgentId{"prod-eu", "bot-web"}));
  EXPECT_EQ(agent.status, AgentStatus::kActive);
  EXPECT_EQ(agent.admitted_by, rule.name);
  EXPECT_EQ(agent.purpose, rule.purpose);
  EXPECT_EQ(agent.sponsor, rule.sponsor);
  EXPECT_EQ(agent.deployment, rule.deployment);
  EXPECT_EQ(agent.agent_class, rule.agent_class);
  EXPECT_EQ(agent.scopes, rule.scopes);
  ASSERT_EQ(agent.evidence.size(), 1U);
  EXPECT_EQ(agent.evidence[0].source, rule.source);
  EXPECT_EQ(agent.evidence[0].claims,
            (std::vector<ClaimMatcher>{{"kubernetes.io/namespace", "prod-eu"},
                                       {"kubernetes.io/serviceaccount/name", "web"},
                                       {"iss", "https://issuer.*"}}));
}

// Both would be admitted by the rule; neither may pass for the other.
TEST(Admission, NobodyElseOfTheFleetPassesForAnAgent) {
  const AdmissionRule rule = fakes::FleetRule();
  const Agent web = AdmittedAgent(rule, PodClaims("prod-eu", "web")).value();
  EXPECT_EQ(FirstMismatch(web.evidence[0].claims, PodClaims("prod-eu", "web")), nullptr);
  EXPECT_NE(FirstMismatch(web.evidence[0].claims, PodClaims("prod-eu", "db")), nullptr);
  EXPECT_NE(FirstMismatch(web.evidence[0].claims, PodClaims("prod-us", "web")), nullptr);
}

// "a-b" + "c" and "a" + "b-c" make one name: the first to come has it.
TEST(Admission, ClaimsThatMakeTheSameNameAreStillTold) {
  AdmissionRule rule = fakes::FleetRule();
  rule.name_template = "{left}-{right}";
  Claims first = PodClaims("prod-eu", "x"), second = first;
  first["left"] = {"a-b"}, first["right"] = {"c"};
  second["left"] = {"a"}, second["right"] = {"b-c"};
  const Agent agent = AdmittedAgent(rule, first).value();
  EXPECT_EQ(AdmittedAgent(rule, second)->id, agent.id);
  EXPECT_NE(FirstMismatch(agent.evidence[0].claims, second), nullptr);
}

TEST(Admission, AnAgentOfABadTemplateIsRefused) {
  AdmissionRule rule = fakes::FleetRule();
  rule.name_template = "{";
  EXPECT_FALSE(AdmittedAgent(rule, PodClaims("prod-eu", "web")).ok());
}

}  // namespace
}  // namespace agentca::ca
