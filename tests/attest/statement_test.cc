// `statement` against statements that the jose command signed.
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest::testing {
namespace {

ca::EvidenceSource Builder() {
  ca::EvidenceSource source;
  source.name = "builder";
  source.format = "statement";
  source.jwks = TextFixture("attest/issuer.jwks");
  return source;
}

class SignedStatement : public EvidenceTest {
 protected:
  Result<Attested> Verify(const std::string& name, const Expectation& expectation,
                          const ca::EvidenceSource& source = Builder()) const {
    return format_->Verify(EvidenceTest::Statement("statement", Fixture("attest/" + name + ".jwt")),
                           FixedTrust(source), expectation);
  }
  const std::unique_ptr<Format> format_ = MakeStatementFormat();
};

TEST_F(SignedStatement, IsLevelThreeForTheKeyThatItConfirms) {
  for (const char* name : {"statement_ES256", "statement_ES384", "statement_RS256", "statement_jwk",
                           "statement_audience"}) {
    const auto result = Verify(name, Bound());
    ASSERT_EQ(Outcome(result), "level 3") << name << ": " << Reason(result);
    EXPECT_TRUE(result->key_bound);
    EXPECT_FALSE(result->proves_possession);
    EXPECT_FALSE(result->replay_id.empty());
  }
}

TEST_F(SignedStatement, IsLevelTwoWithoutConfirmation) {
  for (const Expectation& expectation : {Fresh(), Bound()}) {
    const auto result = Verify("statement_unbound", expectation);
    ASSERT_EQ(Outcome(result), "level 2") << Reason(result);
    EXPECT_FALSE(result->key_bound);
  }
  const auto plain = Verify("statement_plain", Fresh());
  ASSERT_EQ(Outcome(plain), "level 2") << Reason(plain);
  EXPECT_TRUE(plain->components.empty());
  EXPECT_EQ(plain->replay_id, "");
}

TEST_F(SignedStatement, ComponentsAreSignedDigestsAndClaims) {
  const auto result = Verify("statement_ES256", Bound());
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->components.size(), 2u);
  const auto image = Sha256(AsBytes("an image"));
  EXPECT_EQ(result->components[0], (ca::Component{ca::ComponentKind::kImage, "sha256",
                                                  ToBytes(image), ca::Basis::kSigned}));
  EXPECT_EQ(result->components[1].kind, ca::ComponentKind::kModel);
  EXPECT_EQ(result->components[1].digest.size(), 64u);
  EXPECT_EQ(result->claims.at("component/image"),
            std::vector<std::string>{"sha256:" + ToHex(image)});
  EXPECT_EQ(result->claims.at("build/pipeline"), std::vector<std::string>{"release"});
  EXPECT_EQ(result->claims.at("sub"), std::vector<std::string>{"prod/helper"});
}

TEST_F(SignedStatement, IssuerMustBeTheSourcesIfItHasOne) {
  ca::EvidenceSource source = Builder();
  source.issuer = "https://build.test";
  EXPECT_EQ(Outcome(Verify("statement_issuer", Bound(), source)), "level 3");
  EXPECT_EQ(Outcome(Verify("statement_issuer", Bound())), "level 3");
  EXPECT_EQ(Outcome(Verify("statement_ES256", Bound(), source)), "wrong issuer");
}

TEST_F(SignedStatement, ForAKeyNeedsTheKeyToBeNamed) {
  EXPECT_EQ(Outcome(Verify("statement_ES256", Fresh())), "key mismatch");
}

class BadStatement : public SignedStatement, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadStatement, IsRefusedWithItsCause) {
  const auto result = Verify(GetParam().name, Bound());
  EXPECT_EQ(Outcome(result), GetParam().outcome) << Reason(result);
}

INSTANTIATE_TEST_SUITE_P(
    Statements, BadStatement,
    ::testing::Values(
        Bad{"statement_other_key", "key mismatch"}, Bad{"statement_other_jwk", "key mismatch"},
        Bad{"statement_no_point", "malformed"}, Bad{"statement_two_keys", "malformed"},
        Bad{"statement_x5t", "malformed"}, Bad{"statement_cnf_text", "malformed"},
        Bad{"statement_stale", "stale nonce"}, Bad{"statement_no_nonce", "malformed"},
        Bad{"statement_foreign", "foreign audience"}, Bad{"statement_expired", "expired"},
        Bad{"statement_future", "not yet valid"}, Bad{"statement_no_iat", "malformed"},
        Bad{"statement_no_exp", "malformed"}, Bad{"statement_id_token", "malformed"},
        Bad{"statement_untyped", "malformed"}, Bad{"statement_stranger", "bad signature"},
        Bad{"statement_short_digest", "malformed"}, Bad{"statement_sha1", "malformed"},
        Bad{"statement_kind", "malformed"}, Bad{"statement_components", "malformed"},
        Bad{"statement_many", "malformed"}, Bad{"statement_posing", "malformed"},
        Bad{"jwt_HS256", "bad signature"}, Bad{"jwt_own_jwk", "malformed"},
        Bad{"jwt_fresh_ES256", "malformed"}),
    NameOf);

TEST_F(SignedStatement, CandidatesAreTheSourcesThatMayHaveSignedIt) {
  ca::EvidenceSource named = Builder();
  named.name = "named";
  named.issuer = "https://build.test";
  const auto names = [&](const std::string& file) {
    return format_->Candidates(
        EvidenceTest::Statement("statement", Fixture("attest/" + file + ".jwt")),
        {Builder(), named});
  };
  EXPECT_EQ(names("statement_issuer"), (std::vector<std::string>{"builder", "named"}));
  EXPECT_EQ(names("statement_ES256"), std::vector<std::string>{"builder"});
}

}  // namespace
}  // namespace agentca::acme::attest::testing
