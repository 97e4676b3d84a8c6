// JWK Sets: which keys are taken, and which sets are refused.
#include "acme/jws.h"
#include "tests/attest/evidence_fixture.h"
#include "tests/fakes/test_signer.h"

namespace agentca::acme::attest::testing {
namespace {

std::string JwkOf(const ca::PublicKey& p256, const std::string& more = "") {
  const ByteView spki(p256.spki());
  return R"({"kty":"EC","crv":"P-256","x":")" + ToBase64Url(spki.last(64).first(32)) +
         R"(","y":")" + ToBase64Url(spki.last(32)) + "\"" + more + "}";
}
std::string SetOf(const std::vector<std::string>& keys) {
  std::string list;
  for (const auto& key : keys) list += (list.empty() ? "" : ",") + key;
  return R"({"keys":[)" + list + "]}";
}

TEST(KeySet, TakesTheKeysOfOurAlgorithms) {
  const auto set = KeySet::Parse(TextFixture("attest/issuer.jwks"));  // with an ES512 key
  ASSERT_TRUE(set.ok()) << set.error().detail;
  ASSERT_EQ(set->keys.size(), 3u);
  EXPECT_EQ(set->Find("ES256").at(0).type(), ca::KeyType::kP256);
  EXPECT_EQ(set->Find("ES384").at(0).type(), ca::KeyType::kP384);
  EXPECT_EQ(set->Find("RS256").at(0).type(), ca::KeyType::kRsa);
  EXPECT_TRUE(set->Find("ES512").empty());
  EXPECT_TRUE(set->Find("").empty());

  const auto github = KeySet::Parse(TextFixture("attest/github.jwks"));
  ASSERT_TRUE(github.ok()) << github.error().detail;
  EXPECT_EQ(github->Find("EdDSA").at(0).type(), ca::KeyType::kEd25519);
}

TEST(KeySet, FindsByKidOrTheOnlyOne) {
  const auto a = fakes::NewPublicKey(), b = fakes::NewPublicKey(), c = fakes::NewPublicKey();
  const auto one = KeySet::Parse(SetOf({JwkOf(a, R"(,"kid":"a")")})).value();
  EXPECT_EQ(one.Find("").at(0), a);
  EXPECT_TRUE(one.Find("b").empty());
  const auto several =
      KeySet::Parse(SetOf({JwkOf(a, R"(,"kid":"a")"), JwkOf(b), JwkOf(c, R"(,"kid":"a")")}))
          .value();
  EXPECT_EQ(several.Find(""), std::vector<ca::PublicKey>{b});
  EXPECT_EQ(several.Find("a"), (std::vector<ca::PublicKey>{a, c}));
}

TEST(KeySet, LeavesOutKeysForSomethingElse) {
  const auto key = fakes::NewPublicKey();
  const auto taken = [&](const std::string& more) {
    return KeySet::Parse(SetOf({JwkOf(key, more)})).ok();
  };
  EXPECT_TRUE(taken(""));
  EXPECT_TRUE(taken(R"(,"use":"sig","alg":"ES256","key_ops":["verify"],"x5t":"AA")"));
  EXPECT_TRUE(taken(R"(,"use":"jwt-svid")"));
  EXPECT_FALSE(taken(R"(,"use":"enc")"));
  EXPECT_FALSE(taken(R"(,"use":"x509-svid")"));
  EXPECT_FALSE(taken(R"(,"use":7)"));
  EXPECT_FALSE(taken(R"(,"alg":"ES384")"));
  EXPECT_FALSE(taken(R"(,"alg":"ECDH-ES")"));
  EXPECT_FALSE(taken(R"(,"key_ops":["deriveKey"])"));
  EXPECT_FALSE(taken(R"(,"key_ops":"verify")"));
}

TEST(KeySet, RefusesSetsThatAreNotPublicKeys) {
  const std::string good = JwkOf(fakes::NewPublicKey());
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"keys":{}})"),
        SetOf({}), SetOf({"7"}), SetOf({good, R"({"kty":"oct","k":"AAAA"})"}),
        SetOf({good, R"({"kty":"EC","d":"AAAA"})"}), SetOf({good, R"({"kty":"oct"})"}),
        SetOf({JwkOf(fakes::NewPublicKey(), R"(,"kid":7)")}),
        SetOf({R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"}),
        SetOf(std::vector<std::string>(65, good)), R"({"keys":[)" + good + R"(],"keys":[]})", good,
        SetOf({good, R"({"kty":[[[[[[[1]]]]]]]})"}),
        SetOf({good}) + std::string(256 * 1024, ' ')}) {
    const auto set = KeySet::Parse(text);
    ASSERT_FALSE(set.ok()) << text.substr(0, 200);
    EXPECT_EQ(set.error().code, Code::kMalformed);
  }
  EXPECT_TRUE(KeySet::Parse(SetOf(std::vector<std::string>(64, good))).ok());
}

}  // namespace
}  // namespace agentca::acme::attest::testing
