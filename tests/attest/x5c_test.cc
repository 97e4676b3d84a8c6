// `x5c` against chains and signatures that the openssl command made.
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest::testing {
namespace {

ca::EvidenceSource Roots(const std::string& file = "chains/roots.pem") {
  ca::EvidenceSource source;
  source.name = "fleet";
  source.format = "x5c";
  source.roots_pem = TextFixture(file);
  return source;
}

class X5c : public EvidenceTest {
 protected:
  X5c() : certified_(ca::PublicKey::FromSpki(Fixture("chains/p256.spki")).value()) {}

  Expectation BoundToCertified() const {
    Expectation expectation = Fresh();
    expectation.key = &certified_;
    return expectation;
  }

  Result<Attested> Verify(const std::vector<std::string>& chain, const std::string& signature,
                          const Expectation& expectation,
                          const ca::EvidenceSource& source = Roots()) const {
    EvidenceStatement statement = Statement("x5c", Fixture("chains/" + signature + ".sig"));
    for (const auto& each : chain) statement.chain.push_back(Fixture("chains/" + each + ".der"));
    return format_->Verify(statement, FixedTrust(source), expectation);
  }

  const ca::PublicKey certified_;
  const std::unique_ptr<Format> format_ = MakeX5cFormat();
};

TEST_F(X5c, IsLevelThreeForEveryTypeOfKey) {
  for (const std::string name : {"p256", "p384", "ed25519", "rsa"}) {
    const auto result = Verify({name, "issuing"}, name, BoundToCertified());
    ASSERT_EQ(Outcome(result), "level 3") << name << ": " << Reason(result);
    EXPECT_TRUE(result->key_bound);
    EXPECT_EQ(result->proves_possession, name == "p256") << name;
  }
}

TEST_F(X5c, IsLevelTwoWhenNoKeyIsNamed) {
  const auto result = Verify({"p256", "issuing"}, "p256_unbound", Fresh());
  ASSERT_EQ(Outcome(result), "level 2") << Reason(result);
  EXPECT_FALSE(result->key_bound);
  EXPECT_FALSE(result->proves_possession);
  EXPECT_EQ(Outcome(Verify({"p256", "issuing"}, "p256_unbound", BoundToCertified())),
            "key mismatch");
  EXPECT_EQ(Outcome(Verify({"p256", "issuing"}, "p256", Fresh())), "bad signature");
}

TEST_F(X5c, ClaimsAreWhatTheCertificateSays) {
  const auto result = Verify({"p256", "issuing", "root"}, "p256", BoundToCertified());
  ASSERT_TRUE(result.ok()) << Reason(result);
  const auto only = [](std::string text) { return std::vector<std::string>{std::move(text)}; };
  EXPECT_EQ(result->claims.at("dns"), only("helper.prod.example.test"));
  EXPECT_EQ(result->claims.at("uri"), only("spiffe://example.test/t/prod/a/helper"));
  EXPECT_EQ(result->claims.at("email"), only("o@example.test"));
  EXPECT_EQ(result->claims.at("subject/CN"), only("helper"));
  EXPECT_EQ(result->claims.at("subject/O"), only("prod"));
  EXPECT_EQ(result->claims.at("subject/OU"), only("cluster-1"));
  EXPECT_EQ(result->claims.at("subject/serialNumber"), only("0042"));
  EXPECT_EQ(result->claims.at("issuer/CN"), only("Issuing"));
  EXPECT_EQ(result->claims.at("issuer/O"), only("Example"));
  EXPECT_EQ(result->claims.at("key"), only(ToHex(certified_.spki_sha256())));
  EXPECT_EQ(result->claims.count("serial"), 1u);

  const auto multi = Verify({"multi", "issuing"}, "multi", BoundToCertified());
  ASSERT_TRUE(multi.ok()) << Reason(multi);
  EXPECT_EQ(multi->claims.at("subject/O"), (std::vector<std::string>{"a", "b"}));
  const auto plain = Verify({"no_san", "issuing"}, "no_san", BoundToCertified());
  ASSERT_TRUE(plain.ok()) << Reason(plain);
  EXPECT_EQ(plain->claims.count("dns"), 0u);
}

TEST_F(X5c, AnIntermediateCaMayBeTheConfiguredRoot) {
  EXPECT_EQ(Outcome(Verify({"p256"}, "p256", BoundToCertified(), Roots("chains/issuing.pem"))),
            "level 3");
}

TEST_F(X5c, RefusesChainsThatDoNotReachARoot) {
  const auto outcome = [&](const std::vector<std::string>& chain, const std::string& signature) {
    return Outcome(Verify(chain, signature, BoundToCertified()));
  };
  EXPECT_EQ(outcome({"p256"}, "p256"), "untrusted root");  // the intermediate is missing
  EXPECT_EQ(outcome({"foreign", "stranger"}, "foreign"), "untrusted root");
  EXPECT_EQ(outcome({"foreign", "root"}, "foreign"), "untrusted root");
  EXPECT_EQ(outcome({"leaf_issued", "p256", "issuing"}, "leaf_issued"), "untrusted root");
  EXPECT_EQ(outcome({"bounded", "limited"}, "bounded"), "untrusted root");  // name constraints
  EXPECT_EQ(outcome({"server", "issuing"}, "server"), "untrusted root");    // purpose
  EXPECT_EQ(outcome({"sha1", "issuing"}, "sha1"), "untrusted root");
  EXPECT_EQ(outcome({"issuing"}, "issuing"), "untrusted root");  // a CA is no agent
  EXPECT_EQ(outcome({"short", "issuing"}, "short"), "expired");
}

TEST_F(X5c, TimeIsThatOfTheRequest) {
  Expectation early = BoundToCertified();
  early.now = Time{Seconds{1'500'000'000}};
  EXPECT_EQ(Outcome(Verify({"p256", "issuing"}, "p256", early)), "not yet valid");
  Expectation late = BoundToCertified();
  late.now = Time{Seconds{5'500'000'000}};
  EXPECT_EQ(Outcome(Verify({"p256", "issuing"}, "p256", late)), "expired");
}

TEST_F(X5c, RefusesOtherSignatures) {
  const auto outcome = [&](const std::string& signature) {
    return Outcome(Verify({"p256", "issuing"}, signature, BoundToCertified()));
  };
  EXPECT_EQ(outcome("p256_stale"), "bad signature");
  EXPECT_EQ(outcome("p256_other_key"), "bad signature");
  EXPECT_EQ(outcome("p256_no_context"), "bad signature");
  EXPECT_EQ(outcome("p384"), "bad signature");
}

TEST_F(X5c, RefusesWhatIsNoChain) {
  EvidenceStatement statement = Statement("x5c", Fixture("chains/p256.sig"));
  const FixedTrust trust(Roots());
  const auto outcome = [&] { return Outcome(format_->Verify(statement, trust, Fresh())); };
  EXPECT_EQ(outcome(), "malformed");
  statement.chain = {{1, 2, 3}};
  EXPECT_EQ(outcome(), "malformed");
  const Bytes leaf = Fixture("chains/p256.der");
  statement.chain = {leaf, {0x30, 0}};
  EXPECT_EQ(outcome(), "malformed");
  statement.chain.assign(kMaxChain + 1, leaf);
  EXPECT_EQ(outcome(), "malformed");
  Bytes trailing = leaf;
  trailing.push_back(0);
  statement.chain = {trailing};
  EXPECT_EQ(outcome(), "malformed");
}

TEST_F(X5c, RefusesEveryTruncatedCertificate) {
  EvidenceStatement statement = Statement("x5c", Fixture("chains/p256.sig"));
  const FixedTrust trust(Roots("chains/issuing.pem"));
  const Bytes leaf = Fixture("chains/p256.der");
  for (size_t size = 0; size < leaf.size(); ++size) {
    statement.chain = {Bytes(leaf.begin(), leaf.begin() + static_cast<ptrdiff_t>(size))};
    EXPECT_FALSE(format_->Verify(statement, trust, BoundToCertified()).ok()) << size;
  }
}

TEST_F(X5c, CandidatesAreAllSourcesOfTheFormat) {
  ca::EvidenceSource other;
  other.name = "other";
  other.format = "tpm";
  EXPECT_EQ(format_->Candidates(Statement("x5c", {1}), {Roots(), other}),
            std::vector<std::string>{"fleet"});
}

TEST(PemCertificates, AreReadInOrderAndRefusedWhenThereAreNone) {
  const std::string root = TextFixture("chains/roots.pem");
  const std::string issuing = TextFixture("chains/issuing.pem");
  const auto two = ParsePemCertificates("# ours\n" + root + "text between\n" + issuing);
  ASSERT_TRUE(two.ok()) << two.error().detail;
  EXPECT_EQ(*two, (std::vector<Bytes>{Fixture("chains/root.der"), Fixture("chains/issuing.der")}));
  std::string many;
  for (size_t i = 0; i <= kMaxRoots; ++i) many += root;
  for (const std::string& bad :
       {std::string(), std::string("nothing"), root.substr(0, root.size() / 2),
        root + issuing.substr(0, issuing.size() / 2), many,
        std::string("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
        std::string("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n")}) {
    const auto result = ParsePemCertificates(bad);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().code, Code::kMalformed);
  }
}

}  // namespace
}  // namespace agentca::acme::attest::testing
