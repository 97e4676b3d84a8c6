// `jwt-svid` against SVIDs that the jose command made.
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest::testing {
namespace {

ca::EvidenceSource TrustDomain() {
  ca::EvidenceSource source;
  source.name = "spire";
  source.format = "jwt-svid";
  source.issuer = "example.org";
  source.jwks = TextFixture("attest/issuer.jwks");
  return source;
}

class JwtSvid : public EvidenceTest {
 protected:
  Result<Attested> Verify(const std::string& name, const Expectation& expectation,
                          const ca::EvidenceSource& source = TrustDomain()) const {
    return format_->Verify(Statement("jwt-svid", Fixture("attest/" + name + ".jwt")),
                           FixedTrust(source), expectation);
  }
  const std::unique_ptr<Format> format_ = MakeJwtSvidFormat();
};

TEST_F(JwtSvid, IsLevelTwoWithTheNonceAndLevelThreeWithTheKey) {
  const auto fresh = Verify("svid_fresh", Fresh());
  ASSERT_EQ(Outcome(fresh), "level 2") << Reason(fresh);
  EXPECT_EQ(fresh->claims.at("sub"),
            std::vector<std::string>{"spiffe://example.org/ns/prod/sa/helper"});
  for (const std::string alg : {"ES256", "ES384", "RS256"}) {
    const auto bound = Verify("svid_bound_" + alg, Bound());
    ASSERT_EQ(Outcome(bound), "level 3") << Reason(bound);
    EXPECT_TRUE(bound->key_bound);
  }
  EXPECT_EQ(Outcome(Verify("svid_fresh", Bound())), "level 2");
  EXPECT_EQ(Outcome(Verify("svid_bound_ES256", Fresh())), "stale nonce");
}

TEST_F(JwtSvid, FixedAudienceNeverCounts) {
  ca::EvidenceSource source = TrustDomain();
  source.fixed_audience = "reports";
  EXPECT_EQ(Outcome(Verify("svid_foreign", Fresh(), source)), "foreign audience");
}

TEST_F(JwtSvid, IsNeverSignedWithEdDsa) {
  ca::EvidenceSource source = TrustDomain();
  source.jwks = TextFixture("attest/github.jwks");
  EXPECT_EQ(Outcome(Verify("svid_EdDSA", Fresh(), source)), "bad signature");
}

class BadJwtSvid : public JwtSvid, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadJwtSvid, IsRefusedWithItsCause) {
  const auto result = Verify(GetParam().name, Fresh());
  EXPECT_EQ(Outcome(result), GetParam().outcome) << Reason(result);
}

INSTANTIATE_TEST_SUITE_P(
    Svids, BadJwtSvid,
    ::testing::Values(Bad{"svid_foreign", "foreign audience"}, Bad{"svid_stale", "stale nonce"},
                      Bad{"svid_domain", "wrong issuer"},
                      Bad{"svid_trust_domain_alone", "malformed"}, Bad{"svid_dots", "malformed"},
                      Bad{"svid_no_uri", "malformed"}, Bad{"svid_upper_case", "malformed"},
                      Bad{"svid_typ", "malformed"}, Bad{"svid_header", "malformed"},
                      Bad{"svid_no_expiry", "malformed"}, Bad{"svid_expired", "expired"},
                      Bad{"svid_stranger", "bad signature"}, Bad{"jwt_HS256", "bad signature"},
                      Bad{"jwt_own_jwk", "malformed"}, Bad{"jwt_deep", "malformed"},
                      Bad{"jwt_fresh_ES256", "malformed"}),  // its `sub` is no SPIFFE ID
    NameOf);

TEST_F(JwtSvid, CandidatesAreTheSourcesOfTheTrustDomain) {
  ca::EvidenceSource other = TrustDomain();
  other.name = "other";
  other.issuer = "example.net";
  const auto names = [&](const std::string& file) {
    return format_->Candidates(Statement("jwt-svid", Fixture("attest/" + file + ".jwt")),
                               {TrustDomain(), other});
  };
  EXPECT_EQ(names("svid_fresh"), std::vector<std::string>{"spire"});
  EXPECT_TRUE(names("svid_domain").empty());
  // So that somebody says what is wrong with it.
  EXPECT_EQ(names("svid_dots"), (std::vector<std::string>{"spire", "other"}));
}

}  // namespace
}  // namespace agentca::acme::attest::testing
