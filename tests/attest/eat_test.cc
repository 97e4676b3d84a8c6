#include "acme/attest/cwt.h"
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest {
namespace {

using testing::Bad;
using testing::FixedTrust;
using testing::Fixture;
using testing::Outcome;
using testing::Reason;
using testing::TextFixture;

constexpr std::string_view kEatChallenge = "https://ca.example/acme/challenge/Zm9v/agent-attest-01";
const Time kEatNow{Seconds{1'893'456'000}};  // 2030-01-01

Bytes Eat(const std::string& name) { return Fixture("attest/eat/" + name); }

class EatTest : public ::testing::Test {
 protected:
  EatTest() : key_(ca::PublicKey::FromSpki(Eat("key.spki")).value()), format_(MakeEatFormat()) {
    expectation_.audience = kEatChallenge;
    const Bytes nonce = Eat("nonce");
    std::copy(nonce.begin(), nonce.end(), expectation_.nonce.begin());
    expectation_.key = &key_;
    expectation_.now = kEatNow;
    source_.name = "devices";
    source_.format = "eat";
    source_.issuer = "https://attester.example";
    source_.jwks = TextFixture("attest/eat/jwks.json");
    source_.roots_pem = ToPem("CERTIFICATE", Eat("root.der"));
    source_.required = {{"hwmodel", ToBase64Url(Bytes{0x12, 0x34, 0x56})}};
  }

  Result<Attested> Judge(const Bytes& evidence, std::vector<Bytes> chain = {}) const {
    EvidenceStatement statement;
    statement.format = "eat";
    statement.evidence = evidence;
    statement.chain = std::move(chain);
    statement.key = key_;
    return format_->Verify(statement, FixedTrust(source_), expectation_);
  }

  const ca::PublicKey key_;
  std::unique_ptr<Format> format_;
  Expectation expectation_;
  ca::EvidenceSource source_;
};

class EatLevel : public EatTest, public ::testing::WithParamInterface<const char*> {
 protected:
  Bytes Token(const std::string& name) const { return Eat(name + "." + GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Serializations, EatLevel, ::testing::Values("cwt", "jwt"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(EatLevel, IsFourForAKeyOnHardwareThatTheSourceDemands) {
  const auto attested = Judge(Token("good"));
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 4);
  EXPECT_TRUE(attested->key_bound);
  EXPECT_FALSE(attested->proves_possession);
  EXPECT_TRUE(attested->replay_id.starts_with("jti:"));
}

TEST_P(EatLevel, IsThreeWhenNobodyDemandsHardware) {
  source_.required.clear();
  EXPECT_EQ(Outcome(Judge(Token("good"))), "level 3");
  EXPECT_EQ(Outcome(Judge(Token("software"))), "level 3");
  source_.required = {{"swname", "agent runtime"}};
  EXPECT_EQ(Outcome(Judge(Token("good"))), "level 3");
}

TEST_P(EatLevel, IsThreeWhenDebuggingWasPossibleSinceBoot) {
  EXPECT_EQ(Outcome(Judge(Token("disabled_now"))), "level 3");
}

TEST_P(EatLevel, IsTwoWithoutAKey) {
  expectation_.key = nullptr;
  const auto attested = Judge(Token("fresh"));
  EXPECT_EQ(Outcome(attested), "level 2") << Reason(attested);
  EXPECT_FALSE(attested->key_bound);
  EXPECT_EQ(Outcome(Judge(Token("good"))), "key mismatch") << "it is for a key";
}

TEST_P(EatLevel, IsTwoWhenTheTokenNamesNoKey) {
  const auto attested = Judge(Token("fresh"));
  EXPECT_EQ(Outcome(attested), "level 2") << Reason(attested);
  EXPECT_FALSE(attested->key_bound);
}

TEST_P(EatLevel, ClaimsAreTheSameInBothSerializations) {
  const auto attested = Judge(Token("good"));
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  const ca::Claims& claims = attested->claims;
  const auto is = [&](const std::string& name) {
    const auto found = claims.find(name);
    return found == claims.end() ? "absent" : found->second.front();
  };
  EXPECT_EQ(is("iss"), "https://attester.example");
  EXPECT_EQ(is("oemid"), "76543");
  EXPECT_EQ(is("hwmodel"), "EjRW");
  EXPECT_EQ(is("hwversion"), "2.1");
  EXPECT_EQ(is("dbgstat"), "disabled-since-boot");
  EXPECT_EQ(is("intuse"), "csr");
  EXPECT_EQ(is("oemboot"), "true");
  EXPECT_EQ(is("swname"), "agent runtime");
  EXPECT_EQ(is("submods/tee/swname"), "enclave");
  EXPECT_EQ(is("submods/tee/dbgstat"), "disabled-permanently");
  EXPECT_EQ(is("eat_nonce"), ToBase64Url(expectation_.nonce));
  const auto sha256 = [](std::string_view text) { return ToHex(Sha256(AsBytes(text))); };
  EXPECT_EQ(claims.at("measurements"),
            (std::vector<std::string>{"600:sha256:" + sha256("digest of the image"),
                                      "601:sha256:" + sha256("digest of the model")}));
}

TEST_P(EatLevel, AcceptsAlgorithmsOfOurs) {
  for (const char* name : {"es384", "eddsa", "rs256"}) {
    const auto attested = Judge(Token(name));
    EXPECT_EQ(Outcome(attested), "level 4") << name << ": " << Reason(attested);
  }
}

TEST_P(EatLevel, AcceptsOneOfSeveralNoncesAndADeviceWithoutAClock) {
  EXPECT_EQ(Outcome(Judge(Token("several_nonces"))), "level 4");
  EXPECT_EQ(Outcome(Judge(Token("no_clock"))), "level 4");
  EXPECT_EQ(Outcome(Judge(Token("audience"))), "level 4");
}

TEST_P(EatLevel, MayComeFromAnyIssuerIfTheSourceNamesNone) {
  source_.issuer = "";
  EXPECT_EQ(Outcome(Judge(Token("no_issuer"))), "level 4");
  EXPECT_EQ(Outcome(Judge(Token("wrong_issuer"))), "level 4");
}

TEST_P(EatLevel, ACertificateUnderTheRootsVouchesForTheAttester) {
  const auto attested = Judge(Token("chained"), {Eat("leaf.der")});
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 4);
  EXPECT_EQ(attested->claims.at("attester/serial"), std::vector<std::string>{"1234"});
  EXPECT_EQ(attested->claims.at("attester/subject/CN"), std::vector<std::string>{"device 7"});

  EXPECT_EQ(Outcome(Judge(Token("good"), {Eat("leaf.der")})), "bad signature");
  EXPECT_EQ(Outcome(Judge(Token("chained"))), "bad signature") << "without it";
  EXPECT_EQ(Outcome(Judge(Token("signed_by_ca"), {Eat("root.der")})), "untrusted root");
  EXPECT_EQ(Outcome(Judge(Token("chained"), {Bytes{0x30, 0x00}})), "malformed");
  source_.roots_pem = ToPem("CERTIFICATE", Fixture("attest/tpm/root.der"));
  EXPECT_EQ(Outcome(Judge(Token("chained"), {Eat("leaf.der")})), "untrusted root");
  source_.roots_pem = "";
  EXPECT_EQ(Outcome(Judge(Token("chained"), {Eat("leaf.der")})), "untrusted root");
}

TEST_P(EatLevel, WhatTheSourceRequiresMustHold) {
  EXPECT_EQ(Outcome(Judge(Token("other_model"))), "measurement denied");
  EXPECT_EQ(Outcome(Judge(Token("software"))), "measurement denied");
  const auto denied = Judge(Token("other_model"));
  EXPECT_EQ(Reason(denied),
            "measurement denied: \"hwmodel\" is \"mQ\", source \"devices\" wants \"EjRW\"");
  source_.required.push_back({"hwmodel", "mQ"});  // one more that is allowed
  EXPECT_EQ(Outcome(Judge(Token("other_model"))), "level 4");
  EXPECT_EQ(Outcome(Judge(Token("good"))), "level 4");
  source_.required.push_back({"measurements", "600:sha256:00"});  // one more that must hold
  EXPECT_EQ(Outcome(Judge(Token("good"))), "measurement denied");
}

TEST_P(EatLevel, CandidatesAreTheSourcesOfItsIssuer) {
  EvidenceStatement statement;
  statement.evidence = Token("good");
  ca::EvidenceSource other = source_, any = source_, jwt = source_;
  other.name = "other", other.issuer = "https://other.example";
  any.name = "any", any.issuer = "";
  jwt.name = "jwt", jwt.format = "jwt";
  EXPECT_EQ(format_->Candidates(statement, {other, source_, any, jwt}),
            (std::vector<std::string>{"devices", "any"}));
  statement.evidence = Bytes{0x00};
  EXPECT_EQ(format_->Candidates(statement, {source_, jwt}), std::vector<std::string>{"devices"})
      << "no token: whoever is asked says so";
}

TEST_P(EatLevel, CutOffAnywhereIsATypedError) {
  const Bytes token = Token("good");
  for (size_t size = 0; size < token.size(); ++size) {
    const auto attested = Judge(Bytes(token.begin(), token.begin() + static_cast<long>(size)));
    const std::string outcome = Outcome(attested);
    EXPECT_TRUE(outcome == "malformed" || outcome == "bad signature") << size << outcome;
  }
}

// Whatever octet is changed, nothing else is proven: it is refused, or the change was in what a
// signature does not cover (tags, the unprotected header) and says nothing.
TEST_P(EatLevel, WithAnyOctetChangedProvesNothingElse) {
  const Bytes token = Token("good");
  const auto genuine = Judge(token);
  for (size_t at = 0; at < token.size(); ++at) {
    Bytes changed = token;
    changed[at] ^= static_cast<uint8_t>(1 << (at % 8));
    const auto attested = Judge(changed);
    if (!attested.ok()) {
      EXPECT_NE(attested.error().code, Code::kInternal);
      continue;
    }
    EXPECT_EQ(attested->claims, genuine->claims) << at;
    EXPECT_EQ(attested->level, genuine->level) << at;
  }
}

TEST_P(EatLevel, OversizedIsMalformed) {
  Bytes token = Token("good");
  token.resize(kMaxEvidence + 1, token.back());
  EXPECT_EQ(Outcome(Judge(token)), "malformed");
}

class EatRefusal : public EatTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(EatRefusal, NamesTheCause) {
  const auto attested = Judge(Eat(GetParam().name));
  EXPECT_EQ(Outcome(attested), GetParam().outcome) << Reason(attested);
}

std::vector<Bad> Refusals() {
  std::vector<Bad> out{
      {"named_claim.cwt", "malformed"},      {"private_key.cwt", "malformed"},
      {"no_claims.cwt", "malformed"},        {"critical.cwt", "malformed"},
      {"bad_debug_status.cwt", "malformed"}, {"mac0.cwt", "malformed"},
      {"detached.cwt", "malformed"},         {"unprotected_algorithm.cwt", "bad signature"},
      {"swapped.cwt", "bad signature"},      {"hmac.jwt", "bad signature"},
      {"none.jwt", "bad signature"},
  };
  const Bad kBoth[] = {
      {"stale_nonce", "stale nonce"},
      {"no_nonce", "malformed"},
      {"expired", "expired"},
      {"future", "not yet valid"},
      {"future_no_exp", "not yet valid"},
      {"wrong_issuer", "wrong issuer"},
      {"no_issuer", "wrong issuer"},
      {"foreign_audience", "foreign audience"},
      {"debug", "debug mode"},
      {"debug_submodule", "debug mode"},
      {"other_key", "key mismatch"},
      {"stranger", "bad signature"},
      {"unknown_kid", "unknown key"},
      {"attester_claim", "malformed"},
  };
  for (const Bad& each : kBoth) {
    out.push_back({each.name + ".cwt", each.outcome});
    out.push_back({each.name + ".jwt", each.outcome});
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(OfOthers, EatRefusal, ::testing::ValuesIn(Refusals()),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST_F(EatTest, ACwtMayBeBareOrHaveBothTags) {
  EXPECT_EQ(Outcome(Judge(Eat("untagged.cwt"))), "level 4");
  EXPECT_EQ(Outcome(Judge(Eat("cwt_tag.cwt"))), "level 4");
}

TEST_F(EatTest, UnsignedClaimsAreMalformed) {
  EXPECT_EQ(Outcome(Judge(Eat("good_claims.cbor"))), "malformed");
  const std::string json = R"({"eat_nonce":"x"})";
  EXPECT_EQ(Outcome(Judge(ToBytes(AsBytes(json)))), "malformed");
}

// RFC 8392 appendix A.1.
TEST(CwtClaims, OfTheRfcInTheWordsOfAJwt) {
  const auto claims = ReadCwtClaims(
      FromHex("a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c"
              "696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b71")
          .value());
  ASSERT_TRUE(claims.ok()) << claims.error().detail;
  EXPECT_EQ(claims->json,
            R"({"iss":"coap://as.example.com","sub":"erikw","aud":"coap://light.example.com",)"
            R"("exp":1444064944,"nbf":1443944944,"iat":1443944944,"jti":"C3E"})");
  EXPECT_FALSE(claims->confirmed);
}

std::string Json(std::string_view hex) {
  const auto claims = ReadCwtClaims(FromHex(hex).value());
  return claims.ok() ? claims->json : "refused: " + claims.error().detail;
}

TEST(CwtClaims, KeepWhatTheyDoNotKnow) {
  EXPECT_EQ(Json("a13a0001116f01"), R"({"-70000":1})");
  EXPECT_EQ(Json("a16161c1f93e00"), R"({"a":1.5})");
  EXPECT_EQ(Json("a161618201f6"), R"({"a":[1,null]})");
  EXPECT_EQ(Json("a16161a1014100"), R"({"a":{"1":"AA"}})");
  EXPECT_EQ(Json("a161613bffffffffffffffff"), R"({"a":-18446744073709551616})");
}

TEST(CwtClaims, NameThePartsOfALocation) {
  EXPECT_EQ(Json("a1190108a301f94a4002f9d30809183c"),
            R"({"location":{"latitude":12.5,"longitude":-56.25,"age":60}})");
  EXPECT_EQ(Json("a1190108a200010a02"), R"({"location":{"0":1,"10":2}})");
  EXPECT_EQ(Json("a119010801"), R"({"location":1})");
  EXPECT_EQ(Json("a1190108a2010106f97e00"), R"({"location":{"latitude":1}})") << "stands still";
  EXPECT_TRUE(Json("a1190108a106f97c00").starts_with("refused"));  // heading for infinity
  EXPECT_TRUE(Json("a1190108a101f97e00").starts_with("refused"));  // nowhere
  EXPECT_EQ(Json("a119010aa16161a1190108a10101"),
            R"({"submods":{"a":{"location":{"latitude":1}}}})");
}

TEST(CwtClaims, AreIssuedAtAnInteger) {
  EXPECT_EQ(Json("a106c101"), R"({"iat":1})");
  EXPECT_TRUE(Json("a106f93c00").starts_with("refused"));
  EXPECT_TRUE(Json("a106c1f93c00").starts_with("refused"));
  EXPECT_TRUE(Json("a119010aa16161a106f93c00").starts_with("refused"));
  EXPECT_EQ(Json("a104f93c00"), R"({"exp":1})") << "RFC 8392 allows it elsewhere";
}

TEST(CwtClaims, RefuseWhatCouldMeanTwoThings) {
  EXPECT_TRUE(Json("a163657870"
                   "01")
                  .starts_with("refused"));                  // "exp"
  EXPECT_TRUE(Json("a16363746901").starts_with("refused"));  // "cti"
  EXPECT_TRUE(Json("a16161f97e00").starts_with("refused"));  // NaN
  EXPECT_TRUE(Json("a16161f97c00").starts_with("refused"));  // infinity
  EXPECT_TRUE(Json("a119010705").starts_with("refused"));    // dbgstat 5
  EXPECT_TRUE(Json("a11901076764697361626c65").starts_with("refused"));
  EXPECT_TRUE(Json("a119010aa101a0").starts_with("refused"));  // a submodule called 1
  EXPECT_TRUE(Json("a108a0").starts_with("refused"));          // cnf without a key
  EXPECT_TRUE(Json("a108a1034101").starts_with("refused"));    // cnf by kid
}

}  // namespace
}  // namespace agentca::acme::attest
