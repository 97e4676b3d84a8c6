// `jwt` against tokens that the jose command and PyJWT made.
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest::testing {
namespace {

ca::EvidenceSource Cluster() {
  ca::EvidenceSource source;
  source.name = "cluster";
  source.format = "jwt";
  source.issuer = "https://kubernetes.default.svc.cluster.local";
  source.jwks = TextFixture("attest/issuer.jwks");
  return source;
}

ca::EvidenceSource GitHub() {
  ca::EvidenceSource source;
  source.name = "github";
  source.format = "jwt";
  source.issuer = "https://token.actions.githubusercontent.com";
  source.jwks = TextFixture("attest/github.jwks");
  return source;
}

class Jwt : public EvidenceTest {
 protected:
  Result<Attested> Verify(const std::string& name, const Expectation& expectation,
                          const ca::EvidenceSource& source = Cluster()) const {
    return format_->Verify(Statement("jwt", Fixture("attest/" + name + ".jwt")), FixedTrust(source),
                           expectation);
  }
  const std::unique_ptr<Format> format_ = MakeJwtFormat();
};

TEST_F(Jwt, IsLevelTwoWithTheNonceAndLevelThreeWithTheKey) {
  for (const std::string alg : {"ES256", "ES384", "RS256"}) {
    const auto fresh = Verify("jwt_fresh_" + alg, Fresh());
    ASSERT_EQ(Outcome(fresh), "level 2") << Reason(fresh);
    EXPECT_FALSE(fresh->key_bound);
    const auto bound = Verify("jwt_bound_" + alg, Bound());
    ASSERT_EQ(Outcome(bound), "level 3") << Reason(bound);
    EXPECT_TRUE(bound->key_bound);
    EXPECT_FALSE(bound->proves_possession);
  }
  for (const std::string alg : {"RS256", "EdDSA"}) {
    EXPECT_EQ(Outcome(Verify("github_fresh_" + alg, Fresh(), GitHub())), "level 2") << alg;
    EXPECT_EQ(Outcome(Verify("github_bound_" + alg, Bound(), GitHub())), "level 3") << alg;
  }
}

TEST_F(Jwt, KeyThatItDoesNotCoverLeavesItAtLevelTwo) {
  const auto result = Verify("jwt_fresh_ES256", Bound());
  ASSERT_EQ(Outcome(result), "level 2") << Reason(result);
  EXPECT_FALSE(result->key_bound);
}

TEST_F(Jwt, BoundToAKeyThatIsNotNamedIsStale) {
  EXPECT_EQ(Outcome(Verify("jwt_bound_ES256", Fresh())), "stale nonce");
}

TEST_F(Jwt, ClaimsAreFlattened) {
  const auto kubernetes = Verify("jwt_fresh_ES256", Fresh());
  ASSERT_TRUE(kubernetes.ok());
  const auto only = [](std::string text) { return std::vector<std::string>{std::move(text)}; };
  EXPECT_EQ(kubernetes->claims.at("kubernetes.io/namespace"), only("prod"));
  EXPECT_EQ(kubernetes->claims.at("kubernetes.io/serviceaccount/name"), only("helper"));
  EXPECT_EQ(kubernetes->claims.at("iat"), only("1799999990"));
  EXPECT_FALSE(kubernetes->replay_id.empty());

  const auto github = Verify("github_fresh_EdDSA", Fresh(), GitHub());
  ASSERT_TRUE(github.ok());
  EXPECT_EQ(github->claims.at("repository"), only("octo-org/octo-repo"));
  EXPECT_EQ(github->claims.at("ref_protected"), only("true"));
  EXPECT_EQ(github->claims.at("repository_id"), only("74"));
  EXPECT_NE(github->replay_id, kubernetes->replay_id);
}

TEST_F(Jwt, FixedAudienceIsLevelOneWhereTheSourceAllowsIt) {
  EXPECT_EQ(Outcome(Verify("jwt_fixed", Fresh())), "foreign audience");
  ca::EvidenceSource source = Cluster();
  source.fixed_audience = "agentca";
  const auto result = Verify("jwt_fixed", Bound(), source);
  ASSERT_EQ(Outcome(result), "level 1") << Reason(result);
  EXPECT_FALSE(result->key_bound);
  EXPECT_FALSE(result->replay_id.empty());
  EXPECT_EQ(Outcome(Verify("jwt_fixed_old", Fresh(), source)), "expired");
  EXPECT_EQ(Outcome(Verify("jwt_fixed_no_jti", Fresh(), source)), "malformed");
  EXPECT_EQ(Outcome(Verify("jwt_fixed_no_iat", Fresh(), source)), "malformed");
  EXPECT_EQ(Outcome(Verify("jwt_two_audiences", Fresh(), source)), "level 2");
}

TEST_F(Jwt, FixedAudienceCountsForFiveMinutes) {
  ca::EvidenceSource source = Cluster();
  source.fixed_audience = "agentca";
  Expectation later = Fresh();
  later.now = kNow + Seconds(290);
  EXPECT_EQ(Outcome(Verify("jwt_fixed", later, source)), "level 1");
  later.now += Seconds(1);
  EXPECT_EQ(Outcome(Verify("jwt_fixed", later, source)), "expired");
}

TEST_F(Jwt, NeedsNoTokenIdWhenItIsFresh) {
  const auto result = Verify("jwt_no_jti", Fresh());
  ASSERT_EQ(Outcome(result), "level 2") << Reason(result);
  EXPECT_EQ(result->replay_id, "");
}

TEST_F(Jwt, DatesMayHaveFractionsAndClocksMayDifferByAMinute) {
  EXPECT_EQ(Outcome(Verify("jwt_fraction", Fresh())), "level 2");
  EXPECT_EQ(Outcome(Verify("jwt_just_expired", Fresh())), "level 2");
}

class BadJwt : public Jwt, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadJwt, IsRefusedWithItsCause) {
  for (const Expectation& expectation : {Fresh(), Bound()}) {
    const auto result = Verify(GetParam().name, expectation);
    EXPECT_EQ(Outcome(result), GetParam().outcome) << Reason(result);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tokens, BadJwt,
    ::testing::Values(Bad{"jwt_stale", "stale nonce"}, Bad{"jwt_bound_to_other", "stale nonce"},
                      Bad{"jwt_other_challenge", "stale nonce"}, Bad{"jwt_no_nonce", "stale nonce"},
                      Bad{"jwt_prefix", "stale nonce"}, Bad{"jwt_foreign", "foreign audience"},
                      Bad{"jwt_issuer", "wrong issuer"}, Bad{"jwt_no_issuer", "wrong issuer"},
                      Bad{"jwt_expired", "expired"}, Bad{"jwt_no_expiry", "malformed"},
                      Bad{"jwt_text_expiry", "malformed"}, Bad{"jwt_future", "not yet valid"},
                      Bad{"jwt_not_before", "not yet valid"}, Bad{"jwt_no_audience", "malformed"},
                      Bad{"jwt_collision", "malformed"}, Bad{"jwt_stranger", "bad signature"},
                      Bad{"jwt_unknown_kid", "unknown key"}, Bad{"jwt_no_kid", "unknown key"},
                      Bad{"jwt_kid_of_other", "bad signature"}, Bad{"jwt_HS256", "bad signature"},
                      Bad{"jwt_confused", "bad signature"}, Bad{"jwt_ES512", "bad signature"},
                      Bad{"jwt_PS256", "bad signature"}, Bad{"jwt_own_jwk", "malformed"},
                      Bad{"jwt_own_jku", "malformed"}, Bad{"jwt_own_x5u", "malformed"},
                      Bad{"jwt_own_x5c", "malformed"}, Bad{"jwt_crit", "malformed"},
                      Bad{"jwt_b64", "malformed"}, Bad{"jwt_array", "malformed"},
                      Bad{"jwt_text", "malformed"}, Bad{"jwt_duplicate", "malformed"},
                      Bad{"jwt_deep", "malformed"}, Bad{"jwt_many_claims", "malformed"},
                      Bad{"svid_fresh", "wrong issuer"}),
    NameOf);

TEST_F(Jwt, ErrorsSayWhatAnOperatorNeeds) {
  EXPECT_EQ(Reason(Verify("jwt_expired", Fresh())), "expired: since 2027-01-15T07:59:00Z");
  EXPECT_EQ(Reason(Verify("jwt_HS256", Fresh())),
            "bad signature: the algorithm of the token is none of ES256, ES384, EdDSA, RS256");
  EXPECT_EQ(Reason(Verify("jwt_issuer", Fresh())),
            "wrong issuer: claim \"iss\" is not \"https://kubernetes.default.svc.cluster.local\", "
            "the issuer of source \"cluster\"");
  EXPECT_EQ(
      Reason(Verify("jwt_foreign", Fresh())),
      "foreign audience: the token is for \"https://kubernetes.default.svc\", it must be for \"" +
          TokenAudience(Fresh()) + "\"");
}

TEST_F(Jwt, RefusesEveryTruncationAndEveryFlippedCharacter) {
  const Bytes whole = Fixture("attest/jwt_fresh_ES256.jwt");
  const FixedTrust trust(Cluster());
  ASSERT_EQ(Outcome(format_->Verify(Statement("jwt", whole), trust, Fresh())), "level 2");
  for (size_t at = 0; at < whole.size(); ++at) {
    const Bytes shorter(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(at));
    EXPECT_FALSE(format_->Verify(Statement("jwt", shorter), trust, Fresh()).ok()) << at;
    Bytes flipped = whole;
    flipped[at] = flipped[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(format_->Verify(Statement("jwt", flipped), trust, Fresh()).ok()) << at;
  }
}

TEST_F(Jwt, RefusesWhatIsTooLarge) {
  Bytes large(kMaxEvidence + 1, 'A');
  large[10] = large[20] = '.';
  EXPECT_EQ(Outcome(format_->Verify(Statement("jwt", large), FixedTrust(Cluster()), Fresh())),
            "malformed");
}

TEST_F(Jwt, KeysAreNotAskedForWhenTheTokenCannotCount) {
  for (const char* name : {"jwt_stale", "jwt_foreign", "jwt_expired", "jwt_issuer"}) {
    const FixedTrust trust(Cluster());
    EXPECT_FALSE(format_
                     ->Verify(Statement("jwt", Fixture(std::string("attest/") + name + ".jwt")),
                              trust, Fresh())
                     .ok());
    EXPECT_EQ(trust.asked(), 0) << name;
  }
}

TEST_F(Jwt, CandidatesAreTheSourcesOfTheIssuer) {
  ca::EvidenceSource again = Cluster();
  again.name = "cluster-again";
  ca::EvidenceSource statements = Cluster();
  statements.name = "statements";
  statements.format = "statement";
  ca::EvidenceSource nobody = Cluster();
  nobody.name = "nobody";
  nobody.issuer = "";
  const std::vector<ca::EvidenceSource> all{Cluster(), GitHub(), statements, again, nobody};
  const auto names = [&](const std::string& file) {
    return format_->Candidates(Statement("jwt", Fixture("attest/" + file + ".jwt")), all);
  };
  EXPECT_EQ(names("jwt_fresh_ES256"), (std::vector<std::string>{"cluster", "cluster-again"}));
  EXPECT_EQ(names("github_fresh_RS256"), (std::vector<std::string>{"github"}));
  EXPECT_TRUE(names("jwt_no_issuer").empty());
  // So that somebody says what is wrong with it.
  EXPECT_EQ(names("jwt_text"),
            (std::vector<std::string>{"cluster", "github", "cluster-again", "nobody"}));
}

}  // namespace
}  // namespace agentca::acme::attest::testing
