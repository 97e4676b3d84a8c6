#include "acme/attest/tpm_structures.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest {
namespace {

using testing::FixedTrust;
using testing::Fixture;
using testing::Outcome;
using testing::Reason;

const Time kTpmNow{Seconds{1'893'456'000}};  // 2030-01-01

Bytes Tpm(const std::string& name) { return Fixture("attest/tpm/" + name); }

// The parts of evidence, to be put together, exchanged and spoiled.
struct Parts {
  Bytes ak = Tpm("ak.pub");
  std::string kid;
  std::optional<Bytes> quote, quote_signature;
  std::map<std::string, std::map<int, Bytes>> pcrs;
  std::optional<Bytes> certify, certify_signature, public_area;

  Parts& Quote(const std::string& name) {
    quote = Tpm(name + ".attest");
    quote_signature = Tpm(name + ".sig");
    for (const int i : {0, 7, 16}) pcrs["sha256"][i] = Tpm("pcr_sha256_" + std::to_string(i));
    return *this;
  }
  Parts& Certify(const std::string& name, const std::string& key) {
    certify = Tpm(name + ".attest");
    certify_signature = Tpm(name + ".sig");
    public_area = Tpm(key + ".pub");
    return *this;
  }
  Parts& Ak(const std::string& name) {
    ak = Tpm(name + ".pub");
    return *this;
  }

  Bytes Json() const {
    JsonWriter out;
    out.BeginObject().Member("akPub", ToBase64Url(ak));
    if (!kid.empty()) out.Member("kid", kid);
    if (quote) {
      out.Key("quote").BeginObject().Member("attest", ToBase64Url(*quote));
      out.Member("sig", ToBase64Url(*quote_signature)).EndObject();
      out.Key("pcrs").BeginObject();
      for (const auto& [bank, values] : pcrs) {
        out.Key(bank).BeginObject();
        for (const auto& [i, value] : values) out.Member(std::to_string(i), ToHex(value));
        out.EndObject();
      }
      out.EndObject();
    }
    if (certify) {
      out.Key("certify").BeginObject().Member("attest", ToBase64Url(*certify));
      out.Member("sig", ToBase64Url(*certify_signature));
      out.Member("public", ToBase64Url(*public_area)).EndObject();
    }
    out.EndObject();
    return ToBytes(AsBytes(std::move(out).Take()));
  }
};

class TpmTest : public ::testing::Test {
 protected:
  TpmTest() : format_(MakeTpmFormat()) {
    source_.name = "tpms";
    source_.format = "tpm";
    source_.roots_pem = ToPem("CERTIFICATE", Tpm("root.der"));
  }

  Result<Attested> Judge(const Parts& parts, const std::string& key = "key",
                         const std::string& certificate = "ak") const {
    return JudgeJson(parts.Json(), key, certificate);
  }
  // `key`: whose SPKI the statement has; "" : none. `certificate`: of the AK; "" : no chain.
  Result<Attested> JudgeJson(Bytes json, const std::string& key = "key",
                             const std::string& certificate = "ak") const {
    EvidenceStatement statement;
    statement.format = "tpm";
    statement.evidence = std::move(json);
    if (!certificate.empty()) statement.chain = {Tpm(certificate + ".der")};
    if (!key.empty()) statement.key = Key(key);
    Expectation expectation;
    expectation.audience = "https://ca.example/acme/challenge/Zm9v/agent-attest-01";
    const Bytes nonce = Tpm("nonce");
    std::copy(nonce.begin(), nonce.end(), expectation.nonce.begin());
    expectation.key = statement.key ? &*statement.key : nullptr;
    expectation.now = now_;
    return format_->Verify(statement, FixedTrust(source_), expectation);
  }
  static ca::PublicKey Key(const std::string& name) {
    return ca::PublicKey::FromSpki(Tpm(name + ".spki")).value();
  }
  static ca::PublicKey AkKey(const std::string& name) {
    return TpmPublic::Parse(Tpm(name + ".pub")).value().key;
  }
  // A JWK Set with the AK of this name in it.
  static std::string JwkSet(const std::string& ak) {
    const ca::PublicKey key = AkKey(ak);
    const ByteView point = ByteView(key.spki()).last(64);
    return R"({"keys":[{"kty":"EC","crv":"P-256","kid":"rack-7","x":")" +
           ToBase64Url(point.first(32)) + R"(","y":")" + ToBase64Url(point.last(32)) + R"("}]})";
  }

  std::unique_ptr<Format> format_;
  ca::EvidenceSource source_;
  Time now_ = kTpmNow;
};

TEST_F(TpmTest, AQuoteOverTheNonceIsLevelTwo) {
  for (const char* key : {"", "key"}) {
    const auto attested = Judge(Parts().Quote("quote"), key);
    ASSERT_TRUE(attested.ok()) << Reason(attested);
    EXPECT_EQ(attested->level, 2);
    EXPECT_FALSE(attested->key_bound);
    EXPECT_FALSE(attested->proves_possession);
    EXPECT_TRUE(attested->replay_id.starts_with("tpm:"));
  }
}

TEST_F(TpmTest, AQuoteOverNonceAndKeyIsLevelThree) {
  const auto attested = Judge(Parts().Quote("quote_bound"));
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 3);
  EXPECT_TRUE(attested->key_bound);
  EXPECT_FALSE(attested->proves_possession);
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_bound"), "otherkey")), "stale nonce");
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_bound"), "")), "stale nonce");
}

TEST_F(TpmTest, AFreshCertificationIsLevelFourAndProvesPossession) {
  for (const char* name : {"certify_nonce", "certify_bound"}) {
    const auto attested = Judge(Parts().Certify(name, "key"));
    ASSERT_TRUE(attested.ok()) << name << ": " << Reason(attested);
    EXPECT_EQ(attested->level, 4);
    EXPECT_TRUE(attested->key_bound);
    EXPECT_TRUE(attested->proves_possession);
  }
}

TEST_F(TpmTest, AStockCertificationIsLevelFourBesideAQuoteOfItsKey) {
  const auto attested = Judge(Parts().Quote("quote_bound").Certify("certify_stock", "key"));
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_EQ(attested->level, 4);
  EXPECT_TRUE(attested->key_bound);
  EXPECT_FALSE(attested->proves_possession) << "it may be an old one";

  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_stock", "key"))), "stale nonce");
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote").Certify("certify_stock", "key"))), "stale nonce");
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_stale").Certify("certify_nonce", "key"))),
            "stale nonce");
}

TEST_F(TpmTest, RsaKeysDoAsWell) {
  Parts parts;
  parts.Ak("rsaak").Quote("quote_rsa");
  EXPECT_EQ(Outcome(Judge(parts, "rsakey", "rsaak")), "level 3");
  parts.Certify("certify_rsa", "rsakey");
  const auto attested = Judge(parts, "rsakey", "rsaak");
  EXPECT_EQ(Outcome(attested), "level 4") << Reason(attested);
}

TEST_F(TpmTest, ClaimsAreWhatWasQuotedAndWhoseTpmItIs) {
  const auto attested = Judge(Parts().Quote("quote"));
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  const ca::Claims& claims = attested->claims;
  EXPECT_EQ(claims.at("pcr/sha256/16"), std::vector{ToHex(Tpm("pcr_sha256_16"))});
  EXPECT_EQ(claims.at("ak"), std::vector{ToHex(AkKey("ak").spki_sha256())});
  EXPECT_EQ(claims.at("attester/tpm/model"), std::vector<std::string>{"swtpm"});
  EXPECT_EQ(claims.at("attester/tpm/manufacturer"), std::vector<std::string>{"id:00001014"});
  EXPECT_EQ(claims.at("attester/issuer/O"), std::vector<std::string>{"root"});
  EXPECT_FALSE(claims.contains("pcr/sha256/1"));
}

TEST_F(TpmTest, PcrsMustBeWhatTheSourceRequires) {
  source_.required = {{"pcr/sha256/16", std::string(64, '0')}};
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote"))), "measurement denied");
  source_.required.push_back({"pcr/sha256/16", ToHex(Tpm("pcr_sha256_16"))});
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote"))), "level 2");
  source_.required.push_back({"pcr/sha256/1", std::string(64, '0')});
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote"))), "measurement denied") << "it is not quoted";
  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_nonce", "key"))), "measurement denied");
}

TEST_F(TpmTest, PcrsMustBeThoseThatWereQuoted) {
  Parts parts;
  parts.Quote("quote").pcrs["sha256"][16][0] ^= 1;
  EXPECT_EQ(Outcome(Judge(parts)), "measurement denied");
  std::swap(parts.Quote("quote").pcrs["sha256"][16], parts.pcrs["sha256"][0]);
  EXPECT_EQ(Outcome(Judge(parts)), "measurement denied");
  parts.Quote("quote").pcrs["sha256"].erase(7);
  EXPECT_EQ(Outcome(Judge(parts)), "malformed");
  parts.Quote("quote").pcrs["sha256"][8] = Bytes(32, 0);
  EXPECT_EQ(Outcome(Judge(parts)), "malformed");
}

TEST_F(TpmTest, QuotesOfTwoBanksAreRead) {
  Parts parts;
  parts.Quote("quote_two_banks").pcrs["sha256"].erase(16);
  parts.pcrs["sha384"][1] = Tpm("pcr_sha384_1");
  const auto attested = Judge(parts);
  ASSERT_TRUE(attested.ok()) << Reason(attested);
  EXPECT_TRUE(attested->claims.contains("pcr/sha384/1"));
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_sha1"))), "malformed");
}

TEST_F(TpmTest, TheCertifiedKeyMustBeTheCertificatesKey) {
  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_nonce", "key"), "otherkey")), "key mismatch");
  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_nonce", "key"), "")), "key mismatch");
  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_nonce", "otherkey"))), "key mismatch")
      << "another public area than was certified";
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_bound").Certify("certify_otherkey", "otherkey"))),
            "key mismatch");
}

TEST_F(TpmTest, TheCertifiedKeyMustHaveBeenMadeInTheTpm) {
  const auto attested = Judge(
      Parts().Quote("quote_importedbound").Certify("certify_imported", "imported"), "imported");
  EXPECT_EQ(Outcome(attested), "key mismatch") << Reason(attested);
  EXPECT_NE(Reason(attested).find("cannot leave it"), std::string::npos);
}

TEST_F(TpmTest, TheAttestationKeyMustBeRestricted) {
  const auto attested =
      Judge(Parts().Ak("unrestricted").Quote("quote_unrestricted"), "key", "unrestricted");
  EXPECT_EQ(Outcome(attested), "bad signature") << Reason(attested);
}

TEST_F(TpmTest, SomebodyMustVouchForTheAttestationKey) {
  const Parts parts = Parts().Quote("quote");
  EXPECT_EQ(Outcome(Judge(parts, "key", "ak_critical_eku")), "level 2");
  EXPECT_EQ(Outcome(Judge(parts, "key", "ak_otherroot")), "untrusted root");
  EXPECT_EQ(Outcome(Judge(parts, "key", "ak_no_aik")), "untrusted root");
  EXPECT_EQ(Outcome(Judge(parts, "key", "root")), "untrusted root");
  EXPECT_EQ(Outcome(Judge(parts, "key", "rsaak")), "unknown key") << "another AK's certificate";
  EXPECT_EQ(Outcome(Judge(parts, "key", "")), "unknown key") << "no certificate";
  now_ = Time{Seconds{8'000'000'000}};
  EXPECT_EQ(Outcome(Judge(parts)), "expired");
  now_ = Time{Seconds{0}};
  EXPECT_EQ(Outcome(Judge(parts)), "not yet valid");
}

TEST_F(TpmTest, AnAttestationKeyMayBeRegistered) {
  source_.roots_pem = "";
  source_.jwks = JwkSet("ak");
  Parts parts = Parts().Quote("quote_bound").Certify("certify_stock", "key");
  EXPECT_EQ(Outcome(Judge(parts, "key", "")), "level 4");
  parts.kid = "rack-7";
  EXPECT_EQ(Outcome(Judge(parts, "key", "")), "level 4");
  parts.kid = "rack-8";
  EXPECT_EQ(Outcome(Judge(parts, "key", "")), "unknown key");
  EXPECT_EQ(Outcome(Judge(parts)), "untrusted root") << "a chain, and no roots";
  source_.jwks = JwkSet("unrestricted");
  parts.kid = "rack-7";
  EXPECT_EQ(Outcome(Judge(parts, "key", "")), "unknown key");
}

TEST_F(TpmTest, WhatIsStaleOrSignedByAnotherKeyIsRefused) {
  EXPECT_EQ(Outcome(Judge(Parts().Quote("quote_stale"))), "stale nonce");
  EXPECT_EQ(Outcome(Judge(Parts().Certify("certify_stale", "key"))), "stale nonce");
  Parts parts = Parts().Quote("quote");
  parts.quote_signature = Tpm("quote_bound.sig");
  EXPECT_EQ(Outcome(Judge(parts)), "bad signature");
  parts.quote_signature = Tpm("quote_rsa.sig");  // another scheme
  EXPECT_EQ(Outcome(Judge(parts)), "bad signature");
}

TEST_F(TpmTest, AQuoteIsNoCertificationAndTheOtherWayRound) {
  Parts parts;
  parts.Quote("quote");
  parts.quote = Tpm("certify_nonce.attest");
  parts.quote_signature = Tpm("certify_nonce.sig");
  EXPECT_EQ(Outcome(Judge(parts)), "malformed");
  parts = Parts().Certify("certify_nonce", "key");
  parts.certify = Tpm("quote.attest");
  parts.certify_signature = Tpm("quote.sig");
  EXPECT_EQ(Outcome(Judge(parts)), "malformed");
}

TEST_F(TpmTest, JsonThatIsNoEvidenceIsMalformed) {
  const std::string deep(200'000, '[');
  const std::string ak = ToBase64Url(Tpm("ak.pub"));
  const std::vector<std::string> kTexts{std::string(),
                                        std::string("{}"),
                                        std::string("[]"),
                                        deep,
                                        R"({"akPub":")" + ak + R"("})",
                                        R"({"akPub":")" + ak + R"(","akPub":")" + ak + R"("})",
                                        R"({"akPub":")" + ak + R"(","quote":{}})",
                                        R"({"akPub":7,"quote":{}})",
                                        R"({"akPub":")" + ak + R"(","certify":[]})",
                                        R"({"akPub":"=","quote":{}})",
                                        R"({"akPub":")" + std::string(60'000, 'A') + R"("})",
                                        std::string(70'000, ' ')};
  for (const std::string& json : kTexts) {
    EXPECT_EQ(Outcome(JudgeJson(ToBytes(AsBytes(json)))), "malformed") << json.substr(0, 60);
  }
  for (const char* pcrs : {"{\"sha1\":{}}", "{\"sha256\":{\"00\":\"00\"}}",
                           "{\"sha256\":{\"-1\":\"00\"}}", "{\"sha256\":{\"32\":\"00\"}}",
                           "{\"sha256\":{\"0\":\"00\"}}", "{\"sha256\":{\"0\":7}}", "7"}) {
    const std::string json =
        R"({"akPub":")" + ak + R"(","quote":{"attest":"AA","sig":"AA"},"pcrs":)" + pcrs + "}";
    EXPECT_EQ(Outcome(JudgeJson(ToBytes(AsBytes(json)))), "malformed") << pcrs;
  }
}

// Every structure, one after the other.
std::vector<Bytes*> Structures(Parts& parts) {
  return {&parts.ak,
          &*parts.quote,
          &*parts.quote_signature,
          &*parts.certify,
          &*parts.certify_signature,
          &*parts.public_area};
}

TEST_F(TpmTest, StructuresThatAreCutOffOrTooLongAreTypedErrors) {
  const Parts good = Parts().Quote("quote_bound").Certify("certify_bound", "key");
  ASSERT_EQ(Outcome(Judge(good)), "level 4");
  for (size_t i = 0; i < 6; ++i) {
    Parts parts = good;
    const Bytes whole = *Structures(parts)[i];
    for (size_t size = 0; size < whole.size(); ++size) {
      *Structures(parts)[i] = Bytes(whole.begin(), whole.begin() + static_cast<long>(size));
      EXPECT_EQ(Outcome(Judge(parts)), "malformed") << i << " " << size;
    }
    *Structures(parts)[i] = whole;
    Structures(parts)[i]->push_back(0);
    EXPECT_EQ(Outcome(Judge(parts)), "malformed") << i;
  }
}

// Where a changed octet does not matter is akPub beside its key: attributes that we do not ask for.
// Who vouches for the key vouches for those.
TEST_F(TpmTest, WithAnyOctetChangedNothingElseIsProven) {
  const Parts good = Parts().Quote("quote_bound").Certify("certify_bound", "key");
  const auto genuine = Judge(good);
  for (size_t i = 0; i < 6; ++i) {
    Parts parts = good;
    Bytes& structure = *Structures(parts)[i];
    for (size_t at = 0; at < structure.size(); ++at) {
      const auto bit = static_cast<uint8_t>(1 << (at % 8));
      structure[at] ^= bit;
      const auto attested = Judge(parts);
      structure[at] ^= bit;
      if (!attested.ok()) {
        EXPECT_TRUE(attested.error().code == Code::kMalformed ||
                    attested.error().code == Code::kBadAttestation);
        continue;
      }
      EXPECT_EQ(i, 0u) << "structure " << i << " is signed, octet " << at;
      EXPECT_EQ(attested->claims, genuine->claims);
      EXPECT_EQ(attested->level, 4);
    }
  }
}

TEST_F(TpmTest, CandidatesAreSourcesThatCouldVouch) {
  EvidenceStatement statement;
  ca::EvidenceSource registered = source_, eat = source_;
  registered.name = "registered", registered.roots_pem = "", registered.jwks = "{}";
  eat.name = "eat", eat.format = "eat";
  EXPECT_EQ(format_->Candidates(statement, {source_, registered, eat}),
            std::vector<std::string>{"registered"});
  statement.chain = {Tpm("ak.der")};
  EXPECT_EQ(format_->Candidates(statement, {source_, registered, eat}),
            std::vector<std::string>{"tpms"});
  EXPECT_EQ(format_->Candidates(statement, {registered, eat}),
            std::vector<std::string>{"registered"})
      << "none could: it says why";
}

TEST_F(TpmTest, TheLibraryKeepsQuiet) {
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(TpmAttest::Parse(Bytes{1, 2, 3}).ok());
  EXPECT_FALSE(TpmPublic::Parse(Bytes{0, 4, 0, 1, 0, 11}).ok());
  EXPECT_FALSE(TpmPublic::Parse(Bytes(200, 0xFF)).ok());
  EXPECT_FALSE(VerifyTpmSignature(AkKey("ak"), Bytes{1}, Bytes(9, 0xFF)).ok());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace agentca::acme::attest
