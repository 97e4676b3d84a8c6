#include <gtest/gtest.h>

#include <algorithm>

#include "ca/der.h"
#include "ca/lint.h"
#include "tests/fakes/test_agent.h"

namespace agentca::ca {
namespace {

// A sound request for an agent; each test changes it before or after the bytes are made.
class LintAgent : public testing::Test {
 protected:
  testing::AssertionResult Finds(std::string_view finding) {
    const Bytes tbs =
        BuildTbsCertificate(Profile::Make(raw_).value(), ca_.issuer->info(), request_,
                            Serial::FromHex("0102").value(), fakes::ManualClock().Now())
            .value();
    const auto findings =
        LintTbsCertificate(tbs, Profile::Make(raw_).value(), ca_.issuer->info(), request_);
    if (finding.empty() && findings.empty()) return testing::AssertionSuccess();
    if (std::find(findings.begin(), findings.end(), finding) != findings.end())
      return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "not found: " << finding;
    for (const std::string& other : findings) failure << "; " << other;
    return failure;
  }
  static Bytes IdentityOf(const AgentIdentity& identity) {
    return EncodeAgentIdentity(fakes::kTestArc, identity).value();
  }

  fakes::TestIssuer ca_ = fakes::MakeIssuer();
  RawProfile raw_ = fakes::RawAgentProfile();
  CertificateRequest request_ = fakes::MakeAgentRequest();
};

TEST_F(LintAgent, IsSilentAboutWhatWasMeant) { EXPECT_TRUE(Finds("")); }

TEST_F(LintAgent, FindsNamesThatAreNotOneOfEach) {
  constexpr std::string_view kFinding =
      "subjectAltName of an agent is not one DNS name and one URI";
  const CertificateRequest sound = request_;
  raw_.max_names = 5;
  raw_.allow_ip_addresses = true;
  request_.dns_names.emplace_back("a.test");
  EXPECT_TRUE(Finds(kFinding));
  request_ = sound;
  request_.uris.clear();
  EXPECT_TRUE(Finds(kFinding));
  request_ = sound;
  request_.dns_names.clear();
  EXPECT_TRUE(Finds(kFinding));
  request_ = sound;
  request_.ip_addresses = {{192, 0, 2, 1}};
  EXPECT_TRUE(Finds(kFinding));
}

TEST_F(LintAgent, FindsNamesOfAnotherAgent) {
  const CertificateRequest sound = request_;
  request_.dns_names = {"other.acme.agents.example.test"};
  EXPECT_TRUE(Finds("DNS name is not that of the agent in AgentIdentity"));
  for (const char* uri : {"spiffe://example.test/t/acme/a/other",
                          "spiffe://example.test/t/other/a/planner", "https://example.test/"}) {
    request_ = sound;
    request_.uris = {uri};
    EXPECT_TRUE(Finds("SPIFFE ID is not that of the agent in AgentIdentity")) << uri;
  }
}

TEST_F(LintAgent, FindsAnExtensionThatIsMissingTwiceCriticalOrUnreadable) {
  const Bytes sound = request_.extra_extensions[0];
  request_.extra_extensions.clear();
  EXPECT_TRUE(Finds("AgentIdentity is missing"));
  request_.extra_extensions = {sound, sound};
  EXPECT_TRUE(Finds("AgentIdentity is there twice"));
  const Bytes value =
      EncodeAgentIdentityValue(AgentIdentityFor(fakes::TestAgent(), fakes::TestProof())).value();
  const Bytes oid = der::Oid(AgentIdentityOid(fakes::kTestArc));
  request_.extra_extensions = {der::Sequence({oid, der::Boolean(true), der::OctetString(value)})};
  EXPECT_TRUE(Finds("AgentIdentity is critical"));
  request_.extra_extensions = {der::Sequence({oid, der::OctetString(der::Null())})};
  EXPECT_TRUE(Finds("AgentIdentity cannot be read"));
  request_.extra_extensions = {sound};
  request_.agent_arc = "1.2.3";
  EXPECT_TRUE(Finds("AgentIdentity is missing"));
}

TEST_F(LintAgent, FindsOtherUsages) {
  raw_.key_usage = {"digitalSignature", "keyAgreement"};
  EXPECT_TRUE(Finds("keyUsage of an agent is not digitalSignature alone"));
  for (const auto& usages :
       {std::vector<std::string>{"clientAuth"}, {"clientAuth", "serverAuth", "codeSigning"}}) {
    raw_ = fakes::RawAgentProfile();
    raw_.extended_key_usage = usages;
    EXPECT_TRUE(Finds("extKeyUsage of an agent is not clientAuth and serverAuth"));
  }
}

TEST_F(LintAgent, FindsAPolicyThatIsNotTheLevels) {
  constexpr std::string_view kFinding =
      "certificatePolicies has not the one policy of the level of evidence";
  request_.policies.clear();
  EXPECT_TRUE(Finds(kFinding));
  request_.policies = {LevelPolicyOid(fakes::kTestArc, 4)};
  EXPECT_TRUE(Finds(kFinding));
  request_.policies = {LevelPolicyOid(fakes::kTestArc, 3), LevelPolicyOid(fakes::kTestArc, 4)};
  EXPECT_TRUE(Finds(kFinding));
  request_.policies = {"1.2.3", LevelPolicyOid(fakes::kTestArc, 3)};
  EXPECT_TRUE(Finds("")) << "other policies are the operator's";
}

TEST_F(LintAgent, FindsASpiffeIdBesideAnotherUriInAnyCertificate) {
  raw_ = fakes::RawServerProfile();
  request_ = fakes::MakeRequest({});
  request_.uris = {"spiffe://example.test/admin/operator/ada"};
  EXPECT_TRUE(Finds(""));
  // The builder refuses these, so the bytes change after it.
  request_.uris = {"https://example.test/1", "https://example.test/2"};
  std::string hex =
      ToHex(BuildTbsCertificate(fakes::ServerProfile(), ca_.issuer->info(), request_,
                                Serial::FromHex("0102").value(), fakes::ManualClock().Now())
                .value());
  const std::string before = ToHex(AsBytes("https://example.test/2"));
  hex.replace(hex.find(before), before.size(), ToHex(AsBytes("spiffe://example.test/")));
  const auto findings = LintTbsCertificate(FromHex(hex).value(), fakes::ServerProfile(),
                                           ca_.issuer->info(), request_);
  for (const char* finding : {"subjectAltName has a SPIFFE ID and another URI",
                              "subjectAltName: SPIFFE ID has an empty path segment"})
    EXPECT_EQ(std::count(findings.begin(), findings.end(), finding), 1) << finding;
}

}  // namespace
}  // namespace agentca::ca
