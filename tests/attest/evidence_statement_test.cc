// The response to the challenge: its members, limits and refusals; what evidence is bound to.
#include <gtest/gtest.h>

#include <set>

#include "acme/attest/format.h"
#include "tests/fakes/test_signer.h"

namespace agentca::acme::attest {
namespace {

std::string Statement(std::string_view members) { return "{" + std::string(members) + "}"; }
constexpr std::string_view kPlain = R"("fmt":"jwt","evidence":"YWJj")";

std::string SpkiText(const ca::PublicKey& key) { return ToBase64Url(key.spki()); }

TEST(EvidenceStatement, ReadsEveryMember) {
  const ca::PublicKey key = fakes::NewPublicKey();
  const auto parsed = ParseEvidenceStatement(
      Statement(std::string(kPlain) + R"(,"chain":["MAA","MAE"],"spki":")" + SpkiText(key) +
                R"(","pop":"AQI","colour":{"unknown":"members are ignored"})"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().detail;
  EXPECT_EQ(parsed->format, "jwt");
  EXPECT_EQ(AsText(parsed->evidence), "abc");
  EXPECT_EQ(parsed->chain, (std::vector<Bytes>{{0x30, 0}, {0x30, 1}}));
  EXPECT_EQ(*parsed->key, key);
  EXPECT_EQ(parsed->pop, (Bytes{1, 2}));
}

TEST(EvidenceStatement, NeedsOnlyFormatAndEvidence) {
  const auto parsed = ParseEvidenceStatement(Statement(kPlain));
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->key);
  EXPECT_TRUE(parsed->chain.empty());
  EXPECT_TRUE(parsed->pop.empty());
}

TEST(EvidenceStatement, RefusesWhatIsNotOne) {
  const std::string plain(kPlain);
  for (const std::string& text : {
           std::string(),
           std::string("[]"),
           std::string("{}"),
           std::string("nonsense"),
           Statement(R"("fmt":"jwt")"),
           Statement(R"("evidence":"YWJj")"),
           Statement(R"("fmt":"jwt","evidence":"")"),
           Statement(R"("fmt":"","evidence":"YWJj")"),
           Statement(R"("fmt":"JWT","evidence":"YWJj")"),
           Statement(R"("fmt":1,"evidence":"YWJj")"),
           Statement(R"("fmt":"jwt","evidence":7)"),
           Statement(R"("fmt":"jwt","evidence":"YWJj=")"),
           Statement(R"("fmt":"jwt","evidence":"YW Jj")"),
           Statement(R"("fmt":"jwt","evidence":"YR")"),  // trailing bits
           Statement(plain + R"(,"evidence":"YWJj")"),   // twice
           Statement(plain + R"(,"chain":"MAA")"),
           Statement(plain + R"(,"chain":[1])"),
           Statement(plain + R"(,"chain":[""])"),
           Statement(plain + R"(,"spki":"AAAA")"),
           Statement(plain + R"(,"pop":"AQI")"),
           Statement(plain + R"(,"x":[[[[[1]]]]])"),
           Statement(plain).substr(0, plain.size()),
       }) {
    const auto parsed = ParseEvidenceStatement(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Code::kMalformed) << text;
  }
}

TEST(EvidenceStatement, HasLimits) {
  const auto with_evidence = [](size_t octets) {
    return Statement(R"("fmt":"jwt","evidence":")" + ToBase64Url(Bytes(octets, 'a')) + R"(")");
  };
  EXPECT_TRUE(ParseEvidenceStatement(with_evidence(kMaxEvidence)).ok());
  EXPECT_FALSE(ParseEvidenceStatement(with_evidence(kMaxEvidence + 1)).ok());

  const auto with_chain = [](size_t certificates) {
    std::string list = "\"MAA\"";
    for (size_t i = 1; i < certificates; ++i) list += ",\"MAA\"";
    return Statement(std::string(kPlain) + R"(,"chain":[)" + list + "]");
  };
  EXPECT_TRUE(ParseEvidenceStatement(with_chain(kMaxChain)).ok());
  EXPECT_FALSE(ParseEvidenceStatement(with_chain(kMaxChain + 1)).ok());

  const std::string spki = R"(,"spki":")" + SpkiText(fakes::NewPublicKey()) + R"(")";
  const auto with_pop = [&](size_t octets) {
    return Statement(std::string(kPlain) + spki + R"(,"pop":")" + ToBase64Url(Bytes(octets)) +
                     R"(")");
  };
  EXPECT_TRUE(ParseEvidenceStatement(with_pop(kMaxPop)).ok());
  EXPECT_FALSE(ParseEvidenceStatement(with_pop(kMaxPop + 1)).ok());

  const auto huge = ParseEvidenceStatement(
      Statement(std::string(kPlain) + R"(,"x":")" + std::string(128 * 1024, 'x') + R"(")"));
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().code, Code::kPayloadTooLarge);
}

TEST(Expectation, AudienceNamesTheChallengeAndTheNonce) {
  Expectation expectation;
  expectation.audience = "https://ca.test/acme/challenge/a/agent-attest-01";
  expectation.nonce.fill(7);
  EXPECT_EQ(TokenAudience(expectation),
            expectation.audience + "#" + ToBase64Url(expectation.nonce));

  const ca::PublicKey key = fakes::NewPublicKey();
  expectation.key = &key;
  Bytes both(32, 7);
  both.insert(both.end(), key.spki_sha256().begin(), key.spki_sha256().end());
  EXPECT_EQ(TokenAudience(expectation), expectation.audience + "#" + ToBase64Url(Sha256(both)));
}

TEST(Expectation, PossessionIsASignatureOverContextNonceAndKey) {
  for (const auto type : {fakes::TestKey::kP256, fakes::TestKey::kP384, fakes::TestKey::kEd25519,
                          fakes::TestKey::kRsa2048}) {
    fakes::TestSigner holder(type);
    Expectation expectation;
    expectation.nonce.fill(7);
    expectation.key = &holder.public_key();
    const Bytes message = SignedMessage(expectation);
    ASSERT_EQ(message.size(), 16u + 32 + 32);
    EXPECT_EQ(AsText(message).substr(0, 16), std::string_view("agent-attest-01\0", 16));
    const Bytes signature = holder.Sign(message).value();
    EXPECT_TRUE(VerifyPossession(expectation, holder.public_key(), signature));
    EXPECT_FALSE(VerifyPossession(expectation, fakes::NewPublicKey(type), signature));
    Expectation other = expectation;
    other.nonce.fill(8);
    EXPECT_FALSE(VerifyPossession(other, holder.public_key(), signature));
    other = expectation;
    other.key = nullptr;
    EXPECT_FALSE(VerifyPossession(other, holder.public_key(), signature));
  }
}

TEST(BadAttestation, NamesItsCauseInASubproblem) {
  const Error error = BadAttestation(cause::kStaleNonce, "the token is for another challenge");
  EXPECT_EQ(error.code, Code::kBadAttestation);
  EXPECT_EQ(error.detail, "stale nonce: the token is for another challenge");
  ASSERT_EQ(error.causes.size(), 1u);
  EXPECT_EQ(error.causes[0].detail, "stale nonce");
  EXPECT_EQ(CauseOf(error), "stale nonce");
  EXPECT_EQ(CauseOf(Error{Code::kMalformed, "x"}), "");
}

TEST(AllFormats, AreThoseThatSourcesMayHave) {
  std::set<std::string> names;
  for (const auto& format : AllFormats()) {
    ca::EvidenceSource source;
    source.name = "a";
    source.format = format->name();
    const auto status = ca::CheckEvidenceSource(source);  // other fields may be missing
    EXPECT_TRUE(status.ok() || !status.error().detail.starts_with("format:")) << source.format;
    EXPECT_TRUE(names.insert(source.format).second) << source.format << " is there twice";
  }
  EXPECT_EQ(
      names.count("jwt") + names.count("jwt-svid") + names.count("x5c") + names.count("statement"),
      4u);
}

}  // namespace
}  // namespace agentca::acme::attest
