// Evidence that other people's tools made (tests/testdata/make_tokens.sh, make_chains.sh), and what
// it is judged by.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "acme/attest/chain.h"
#include "acme/attest/trust.h"
#include "tests/fakes/command.h"

namespace agentca::acme::attest::testing {

inline const Time kNow{Seconds{1'800'000'000}};
inline constexpr std::string_view kChallenge =
    "https://ca.test/acme/challenge/AUTHZ/agent-attest-01";

inline Bytes Fixture(const std::string& name) {
  Bytes octets = fakes::ReadWholeFile(std::filesystem::path(AGENTCA_TESTDATA) / name);
  EXPECT_FALSE(octets.empty()) << name;
  return octets;
}
inline std::string TextFixture(const std::string& name) {
  return std::string(AsText(Fixture(name)));
}

// A source whose keys are at hand.
class FixedTrust final : public Trust {
 public:
  explicit FixedTrust(ca::EvidenceSource source) : source_(std::move(source)) {
    if (!source_.jwks.empty()) set_ = KeySet::Parse(source_.jwks).value();
    if (!source_.roots_pem.empty()) roots_ = ParsePemCertificates(source_.roots_pem).value();
  }
  const ca::EvidenceSource& source() const override { return source_; }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view kid) const override {
    ++asked_;
    auto found = set_.Find(kid);
    if (found.empty()) return BadAttestation(cause::kUnknownKey, std::string(kid));
    return found;
  }
  const std::vector<Bytes>& roots() const override { return roots_; }
  int asked() const { return asked_; }

 private:
  ca::EvidenceSource source_;
  KeySet set_;
  std::vector<Bytes> roots_;
  mutable int asked_ = 0;
};

// The key that the certificate shall carry in the fixtures, and what evidence must be bound to.
class EvidenceTest : public ::testing::Test {
 protected:
  EvidenceTest() : key_(ca::PublicKey::FromSpki(Fixture("attest/agent.spki")).value()) {}

  Expectation Fresh() const {
    Expectation expectation;
    expectation.audience = kChallenge;
    expectation.nonce = Sha256(AsBytes("token.0123456789012345678901234567890123456789012"));
    expectation.now = kNow;
    return expectation;
  }
  Expectation Bound() const {
    Expectation expectation = Fresh();
    expectation.key = &key_;
    return expectation;
  }

  static EvidenceStatement Statement(std::string format, Bytes evidence) {
    EvidenceStatement statement;
    statement.format = std::move(format);
    statement.evidence = std::move(evidence);
    return statement;
  }

  const ca::PublicKey key_;
};

// What became of evidence, in one word or two: "level 3", "stale nonce", "malformed", …
inline std::string Outcome(const Result<Attested>& result) {
  if (result.ok()) return "level " + std::to_string(result->level);
  const Error& error = result.error();
  if (error.code == Code::kMalformed) return "malformed";
  if (error.code == Code::kPayloadTooLarge) return "too large";
  if (error.code == Code::kUnavailable) return "unavailable";
  if (error.code != Code::kBadAttestation) return "another error: " + error.detail;
  return std::string(CauseOf(error));
}

inline std::string Reason(const Result<Attested>& result) {
  return result.ok() ? "accepted" : result.error().detail;
}

// A fixture that is refused, and with which outcome; for parameterized tests.
struct Bad {
  std::string name, outcome;
};
inline std::string NameOf(const ::testing::TestParamInfo<Bad>& test) { return test.param.name; }

}  // namespace agentca::acme::attest::testing
