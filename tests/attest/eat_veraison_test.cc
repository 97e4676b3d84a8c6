// EATs that others' software made throughout (testdata/attest/make_eat_veraison): claims and COSE
// of Veraison, CBOR by fxamacker, JWTs by golang-jwt. And claims sets built like RFC 9711's
// examples.
#include <algorithm>

#include "acme/attest/cbor.h"
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest {
namespace {

using testing::FixedTrust;
using testing::Fixture;
using testing::Outcome;
using testing::Reason;
using testing::TextFixture;

Bytes Token(const std::string& name) { return Fixture("attest/eat_veraison/" + name); }

class VeraisonTest : public ::testing::Test {
 protected:
  VeraisonTest() : key_(ca::PublicKey::FromSpki(Token("key.spki")).value()) {
    expectation_.audience = "https://ca.example/acme/challenge/Zm9v/agent-attest-01";
    const Bytes nonce = Token("nonce");
    std::copy(nonce.begin(), nonce.end(), expectation_.nonce.begin());
    expectation_.key = &key_;
    expectation_.now = Time{Seconds{1'893'456'000}};  // 2030-01-01
    source_.name = "devices";
    source_.format = "eat";
    source_.issuer = "https://attester.example";
    source_.jwks = TextFixture("attest/eat_veraison/jwks.json");
    source_.required = {{"hwmodel", ToBase64Url(AsBytes("model 7"))}};
  }

  Result<Attested> Judge(const std::string& name) const {
    EvidenceStatement statement;
    statement.format = "eat";
    statement.evidence = Token(name);
    statement.key = key_;
    return MakeEatFormat()->Verify(statement, FixedTrust(source_), expectation_);
  }

  const ca::PublicKey key_;
  Expectation expectation_;
  ca::EvidenceSource source_;
};

std::string Base64(ByteView octets, size_t size = 32) {
  return ToBase64Url(octets.first(std::min(size, octets.size())));
}
std::string Digest(std::string_view text, size_t size = 32) {
  return Base64(Sha256(AsBytes(text)), size);
}
// UEID of type 1 (RFC 9711 §4.2.1.1).
std::string Ueid(std::string_view text, size_t size) {
  Bytes ueid{0x01};
  const auto digest = Sha256(AsBytes(text));
  ueid.insert(ueid.end(), digest.begin(), digest.begin() + static_cast<long>(size));
  return ToBase64Url(ueid);
}

TEST_F(VeraisonTest, AGoodTokenIsLevel4WithAllItsClaims) {
  const auto attested = Judge("good.cwt");
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 4);
  EXPECT_TRUE(attested->key_bound);
  EXPECT_TRUE(attested->replay_id.starts_with("jti:"));
  const auto sha256 = [](std::string_view text) { return ToHex(Sha256(AsBytes(text))); };
  EXPECT_EQ(attested->claims,
            (ca::Claims{{"iss", {"https://attester.example"}},
                        // Veraison tags dates, which RFC 8392 §2 forbids. They say the same.
                        {"exp", {"1893456300"}},
                        {"iat", {"1893456000"}},
                        {"jti", {Digest("id", 12)}},
                        {"eat_nonce", {ToBase64Url(expectation_.nonce)}},
                        {"ueid", {Ueid("device", 16)}},
                        {"oemid", {"EjRW"}},
                        {"hwmodel", {"bW9kZWwgNw"}},
                        {"hwversion", {"2.1", "1"}},
                        {"uptime", {"60"}},
                        {"oemboot", {"true"}},
                        {"dbgstat", {"disabled-since-boot"}},
                        {"location/latitude", {"12.5"}},
                        {"location/longitude", {"-56.25"}},
                        {"swname", {"agent runtime"}},
                        {"submods/tee/dbgstat", {"disabled-permanently"}},
                        {"submods/tee/swname", {"enclave"}},
                        {"measurements",
                         {"600:sha256:" + sha256("digest of the image"),
                          "601:sha256:" + sha256("digest of the model")}}}));
}

TEST_F(VeraisonTest, TagsAlgorithmsAndAHeadingOfNaNChangeNothing) {
  for (const char* name :
       {"bare.cwt", "cwt_tag.cwt", "es384.cwt", "eddsa.cwt", "several_nonces.cwt", "still.cwt"}) {
    const auto attested = Judge(name);
    EXPECT_EQ(Outcome(attested), "level 4") << name << ": " << Reason(attested);
  }
}

// Under the keys of a draft, claims are somebody's own: they are kept, and mean nothing. This one
// says there that debugging is enabled, and gets no more than its nonce and signature are worth.
TEST_F(VeraisonTest, ClaimsOfADraftProveNoHardware) {
  EXPECT_EQ(Outcome(Judge("draft.cwt")), "measurement denied");
  source_.required = {{"13", "EjRW"}};
  const auto attested = Judge("draft.cwt");
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 2);
  EXPECT_EQ(attested->claims.at("16"), std::vector<std::string>{"0"});
  EXPECT_EQ(attested->claims.at("20/tee/16"), std::vector<std::string>{"3"});
  for (const char* name : {"ueid", "oemid", "dbgstat", "oemboot"}) {
    EXPECT_FALSE(attested->claims.contains(name)) << name;
  }
}

constexpr std::pair<const char*, const char*> kRefusals[] = {
    {"stale_nonce.cwt", "stale nonce"},
    {"short_nonce.cwt", "stale nonce"},
    {"expired.cwt", "expired"},
    {"debug.cwt", "debug mode"},
    {"debug_submodule.cwt", "debug mode"},
    {"other_key.cwt", "key mismatch"},
    {"stranger.cwt", "bad signature"},
    {"float_iat.cwt", "malformed"},
    {"float_iat.jwt", "malformed"},
    {"shape_bundle.cwt", "malformed"},
};

TEST_F(VeraisonTest, EachBadTokenIsRefusedForItsCause) {
  for (const auto& [name, outcome] : kRefusals) {
    const auto attested = Judge(name);
    EXPECT_EQ(Outcome(attested), outcome) << name << ": " << Reason(attested);
  }
}

// The CoSWID of the generator's coswid().
std::string Coswid(std::string_view name) {
  CborWriter writer;
  writer.Map(5).Int(0).Text("c0ffee").Int(1).Text(name);
  writer.Int(2).Array(1).Map(2).Int(31).Text("Maker").Int(33).Int(1);
  writer.Int(12).Int(2).Int(13).Text("4.5.6");
  return "258:sha256:" + ToHex(Sha256(std::move(writer).Take()));
}

struct Shape {
  std::string name, section;
  ca::Claims claims;  // besides eat_nonce
};

std::vector<Shape> Shapes() {
  return {
      {"tee.cwt",
       "A.1.1",
       {{"oemboot", {"true"}},
        {"dbgstat", {"disabled-since-boot"}},
        {"manifests", {Coswid("TEE")}}}},
      {"layers.cwt",
       "A.1.2",
       {{"iat", {"1893455940"}},
        {"ueid", {Ueid("chip", 15)}},
        {"oemid", {"AQID"}},
        {"hwmodel", {Digest("chip", 16)}},
        {"hwversion", {"1.0.9", "1"}},
        {"oemboot", {"true"}},
        {"dbgstat", {"disabled-permanently"}},
        {"swname", {"Chip OS"}},
        {"swversion", {"6.2.1", "1"}},
        {"submods/board/oemid", {Digest("board maker", 16)}},
        {"submods/board/hwmodel", {Digest("board", 16)}},
        {"submods/board/hwversion", {"3.1b", "2"}},
        {"submods/device/oemid", {"32473"}},
        {"submods/device/hwversion", {"9.0", "1"}}}},
      {"block.cwt",
       "A.1.3",
       {{"ueid", {Ueid("block", 15)}},
        {"oemid", {"32473"}},
        {"hwversion", {"7.1", "1"}},
        {"oemboot", {"true"}},
        {"dbgstat", {"disabled-permanently"}}}},
      // A key that is no `cnf` confirms nothing; a submodule's nonce is its own affair.
      {"key_store.cwt",
       "A.1.4",
       {{"exp", {"1893463200"}},
        {"iat", {"1893455940"}},
        {"oemboot", {"true"}},
        {"dbgstat", {"disabled-since-boot"}},
        {"manifests", {Coswid("Store")}},
        {"-70010", {"face"}},
        {"-70011/1", {"2"}},
        {"-70011/2", {Digest("kid", 16)}},
        {"-70011/-1", {"1"}},
        {"-70011/-2", {Digest("x")}},
        {"-70011/-3", {Digest("y")}},
        {"submods/main/eat_nonce", {Digest("of before", 8)}},
        {"submods/main/oemboot", {"true"}},
        {"submods/main/manifests", {Coswid("Main OS")}}}},
      {"iot.cwt",
       "A.1.5",
       {{"ueid", {Ueid("thing", 15)}},
        {"oemid", {"BAUG"}},
        {"oemboot", {"true"}},
        {"dbgstat", {"disabled-since-boot"}},
        {"submods/main/oemboot", {"true"}},
        {"submods/main/dbgstat", {"disabled-since-boot"}},
        {"submods/main/measurements", {Coswid("Main OS")}}}},
      // Results are two lists deep, where no rule can look.
      {"results.jwt",
       "A.1.6",
       {{"oemboot", {"true"}},
        {"dbgstat", {"disabled-since-boot"}},
        {"oemid", {"AQID"}},
        {"ueid", {Ueid("thing", 15)}},
        {"swname", {"Thing OS"}},
        {"swversion", {"4.5.6"}}}},
      {"digest.cwt",
       "A.2.2",
       {{"oemid", {"32473"}},
        {"oemboot", {"true"}},
        {"dbgstat", {"disabled-permanently"}},
        {"submods/tee", {"-16", Digest("claims")}}}},
      {"digests.jwt", "A.2.3", {{"submods/audio", {"DIGEST"}}}},
  };
}

class ShapeOfTheRfc : public VeraisonTest, public ::testing::WithParamInterface<Shape> {
 protected:
  ShapeOfTheRfc() {
    source_.issuer = "";
    source_.required = {};
  }
};

TEST_P(ShapeOfTheRfc, IsReadAndFlattened) {
  const auto attested = Judge("shape_" + GetParam().name);
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 2) << "none has a cnf";
  ca::Claims claims = GetParam().claims;
  claims["eat_nonce"] = {ToBase64Url(expectation_.nonce)};
  EXPECT_EQ(attested->claims, claims);
}

INSTANTIATE_TEST_SUITE_P(AppendixA, ShapeOfTheRfc, ::testing::ValuesIn(Shapes()),
                         [](const auto& test) {
                           std::string section = test.param.section;
                           std::replace(section.begin(), section.end(), '.', '_');
                           return section;
                         });

// A.1.7 and §4.2.18.2: tokens within a token, one of them with a debugger attached. They are text.
TEST_F(VeraisonTest, NestedTokensAreNotLookedInto) {
  source_.issuer = "";
  source_.required = {};
  for (const char* name : {"shape_nested.cwt", "shape_submodules.jwt"}) {
    const auto attested = Judge(name);
    ASSERT_TRUE(attested.ok()) << name << ": " << Reason(attested);
    EXPECT_EQ(attested->level, 2);
    EXPECT_EQ(attested->claims.at("submods/app/swname"), std::vector<std::string>{"App"});
    EXPECT_TRUE(attested->claims.contains("submods/element"));
    EXPECT_TRUE(attested->claims.contains("submods/modem"));
    const auto below = attested->claims.lower_bound("submods/element/");
    EXPECT_FALSE(below != attested->claims.end() && below->first.starts_with("submods/element/"));
    EXPECT_FALSE(attested->claims.contains("hwmodel"));
  }
}

}  // namespace
}  // namespace agentca::acme::attest
