#include "acme/jws.h"

#include <gtest/gtest.h>

#include "tests/fakes/acme_client.h"

namespace agentca::acme {
namespace {

using fakes::HeaderJson;
using fakes::JsonQuoted;
using fakes::JwkOf;
using fakes::JwsHeader;
using fakes::SignJws;
using fakes::TestKey;
using fakes::TestSigner;

JwsHeader HeaderFor(const TestSigner& key) {
  return {{"alg", JsonQuoted(fakes::AlgorithmNameOf(key.public_key().type()))},
          {"url", R"("https://ca.example.test/x")"},
          {"nonce", R"("AAAA")"},
          {"jwk", JwkOf(key.public_key())}};
}

Code CodeOf(const std::string& body) {
  const auto jws = Jws::Parse(body);
  EXPECT_FALSE(jws.ok()) << body;
  return jws.ok() ? Code::kInternal : jws.error().code;
}

class JwsOfEachAlgorithm : public ::testing::TestWithParam<TestKey> {};

TEST_P(JwsOfEachAlgorithm, VerifiesWithItsKeyAndNoOther) {
  TestSigner key(GetParam());
  const auto jws = Jws::Parse(SignJws(key, HeaderJson(HeaderFor(key)), R"({"a":1})"));
  ASSERT_TRUE(jws.ok()) << jws.error().detail;
  EXPECT_TRUE(jws->Verify(*jws->jwk).ok());
  EXPECT_EQ(*jws->jwk, key.public_key());
  EXPECT_EQ(jws->payload, R"({"a":1})");
  EXPECT_EQ(jws->url, "https://ca.example.test/x");

  EXPECT_FALSE(jws->Verify(TestSigner(GetParam()).public_key()).ok());
  Jws changed = *jws;
  changed.signing_input.back() ^= 1;
  EXPECT_FALSE(changed.Verify(key.public_key()).ok());
}

TEST_P(JwsOfEachAlgorithm, RefusesSignaturesOfAnotherLength) {
  TestSigner key(GetParam());
  const auto jws = Jws::Parse(SignJws(key, HeaderJson(HeaderFor(key)), "{}"));
  ASSERT_TRUE(jws.ok());
  Jws shorter = *jws;
  shorter.signature.pop_back();
  EXPECT_FALSE(shorter.Verify(key.public_key()).ok());
  Jws longer = *jws;
  longer.signature.insert(longer.signature.begin(), 0);
  EXPECT_FALSE(longer.Verify(key.public_key()).ok());
  Jws empty = *jws;
  empty.signature.clear();
  EXPECT_FALSE(empty.Verify(key.public_key()).ok());
}

INSTANTIATE_TEST_SUITE_P(Algorithms, JwsOfEachAlgorithm,
                         ::testing::Values(TestKey::kP256, TestKey::kP384, TestKey::kEd25519,
                                           TestKey::kRsa2048));

TEST(Jws, RefusesDerInsteadOfRawEcdsaSignatures) {
  TestSigner key;
  auto jws = Jws::Parse(SignJws(key, HeaderJson(HeaderFor(key)), "{}"));
  ASSERT_TRUE(jws.ok());
  jws->signature = key.Sign(AsBytes(jws->signing_input)).value();
  EXPECT_FALSE(jws->Verify(key.public_key()).ok());
}

TEST(Jws, RefusesAKeyOfAnotherTypeThanTheAlgorithm) {
  TestSigner p256;
  TestSigner p384(TestKey::kP384);
  JwsHeader header = HeaderFor(p256);
  header["alg"] = R"("ES384")";
  const auto jws = Jws::Parse(SignJws(p256, HeaderJson(header), "{}"));
  ASSERT_TRUE(jws.ok());
  EXPECT_EQ(jws->Verify(p256.public_key()).error().code, Code::kMalformed);
  EXPECT_FALSE(jws->Verify(p384.public_key()).ok());
}

TEST(Jws, RefusesEveryFormButTheFlattenedOne) {
  TestSigner key;
  const std::string good = SignJws(key, HeaderJson(HeaderFor(key)), "{}");
  ASSERT_TRUE(Jws::Parse(good).ok());
  const std::string open = good.substr(0, good.size() - 1);
  EXPECT_EQ(CodeOf(open + R"(,"header":{}})"), Code::kMalformed);
  EXPECT_EQ(CodeOf(open + R"(,"signatures":[]})"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"({"payload":"","signatures":[{}]})"), Code::kMalformed);
  EXPECT_EQ(CodeOf("eyJ9.e30.AA"), Code::kMalformed);
  EXPECT_EQ(CodeOf("[]"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"({"protected":"e30","signature":"AA"})"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"({"protected":1,"payload":"","signature":"AA"})"), Code::kMalformed);
}

TEST(Jws, RefusesPaddedMembers) {
  TestSigner key;
  const std::string head = ToBase64Url(AsBytes(HeaderJson(HeaderFor(key))));
  EXPECT_EQ(CodeOf(R"({"protected":")" + head + R"(","payload":"e30=","signature":"AA"})"),
            Code::kMalformed);
}

TEST(Jws, RefusesHeadersThatChangeItsMeaning) {
  TestSigner key;
  const auto with = [&](const std::string& name, const std::string& value) {
    JwsHeader header = HeaderFor(key);
    header[name] = value;
    return SignJws(key, HeaderJson(header), "{}");
  };
  EXPECT_EQ(CodeOf(with("crit", "[]")), Code::kMalformed);
  EXPECT_EQ(CodeOf(with("b64", "false")), Code::kMalformed);
  EXPECT_EQ(CodeOf(with("kid", R"("https://ca.example.test/a")")), Code::kMalformed);
  EXPECT_EQ(CodeOf(with("url", "1")), Code::kMalformed);
  EXPECT_EQ(CodeOf(with("nonce", R"("A=")")), Code::kMalformed);
  for (const char* alg : {"none", "HS256", "RS1", "ES512", "es256", ""}) {
    EXPECT_EQ(CodeOf(with("alg", JsonQuoted(alg))), Code::kBadSignatureAlgorithm) << alg;
  }
  JwsHeader neither = HeaderFor(key);
  neither.erase("jwk");
  EXPECT_EQ(CodeOf(SignJws(key, HeaderJson(neither), "{}")), Code::kMalformed);
}

// Verifying with such a key costs as much as its owner, a stranger, likes: so it is judged before.
TEST(Jws, RefusesAnRsaKeyOver4096BitsBeforeTheSignatureIsLookedAt) {
  for (const size_t octets : {513, 1024, 2048}) {
    Bytes modulus(octets, 0xff);
    const std::string header = R"({"alg":"RS256","nonce":"AA","url":"https://ca.example.test/a",)"
                               R"("jwk":{"kty":"RSA","e":"AQAB","n":")" +
                               ToBase64Url(modulus) + R"("}})";
    EXPECT_EQ(CodeOf(R"({"protected":")" + ToBase64Url(AsBytes(header)) +
                     R"(","payload":"e30","signature":"AA"})"),
              Code::kBadPublicKey);
  }
}

Code JwkCode(const std::string& text) {
  const auto document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok());
  const auto key = ParseJwk(document->root());
  EXPECT_FALSE(key.ok()) << text;
  return key.ok() ? Code::kInternal : key.error().code;
}

TEST(Jwk, RefusesPrivateForeignAndMisshapenKeys) {
  const std::string good = JwkOf(TestSigner().public_key());
  const std::string open = good.substr(0, good.size() - 1);
  EXPECT_EQ(JwkCode(open + R"(,"d":"AAAA"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode(R"({"kty":"oct","k":"AAAA"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode(R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode(R"({"kty":"OKP","crv":"X25519","x":"AA"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode(R"({"kty":"RSA","n":"AAAA","e":"AQAB"})"), Code::kBadPublicKey);
  EXPECT_EQ(JwkCode("[]"), Code::kBadPublicKey);
}

TEST(Jwk, RefusesAPointThatIsNotOnTheCurve) {
  const std::string one = ToBase64Url(Bytes(32, 1));
  EXPECT_EQ(JwkCode(R"({"kty":"EC","crv":"P-256","x":")" + one + R"(","y":")" + one + R"("})"),
            Code::kBadPublicKey);
}

// RFC 7638 §3.1.
TEST(Thumbprint, OfTheRsaKeyInTheRfc) {
  const auto document = JsonDocument::Parse(
      R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7a)"
      R"(PFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4)"
      R"(QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qN)"
      R"(Lyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqD)"
      R"(Kgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})");
  ASSERT_TRUE(document.ok());
  const auto key = ParseJwk(document->root());
  ASSERT_TRUE(key.ok()) << key.error().detail;
  EXPECT_EQ(Thumbprint(*key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

// RFC 8037 Appendix A.3.
TEST(Thumbprint, OfTheEd25519KeyInTheRfc) {
  const auto document = JsonDocument::Parse(
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  ASSERT_TRUE(document.ok());
  const auto key = ParseJwk(document->root());
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(Thumbprint(*key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(Thumbprint, OfEcKeysIsThatOfTheirCanonicalJwk) {
  const ca::PublicKey key = TestSigner().public_key();
  const ByteView spki(key.spki());
  const std::string canonical = R"({"crv":"P-256","kty":"EC","x":")" +
                                ToBase64Url(spki.last(64).first(32)) + R"(","y":")" +
                                ToBase64Url(spki.last(32)) + R"("})";
  EXPECT_EQ(Thumbprint(key), ToBase64Url(Sha256(AsBytes(canonical))));
}

}  // namespace
}  // namespace agentca::acme
