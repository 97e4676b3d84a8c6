// Tokens and statements from strangers, as each format made of signed JSON reads them.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "acme/attest/token.h"
#include "acme/attest/trust.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kTestdata = AGENTCA_TESTDATA;

// The issuer of the fixtures, under whatever name a token claims to be from.
class FixtureTrust final : public Trust {
 public:
  FixtureTrust() {
    std::ostringstream text;
    text << std::ifstream(std::string(kTestdata) + "/attest/issuer.jwks").rdbuf();
    source_.jwks = text.str();
    auto set = KeySet::Parse(source_.jwks);
    if (!set.ok()) std::abort();
    set_ = *std::move(set);
  }
  const ca::EvidenceSource& source() const override { return source_; }
  ca::EvidenceSource& source() { return source_; }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view kid) const override {
    return set_.Find(kid);
  }
  const std::vector<Bytes>& roots() const override { return roots_; }

 private:
  ca::EvidenceSource source_;
  KeySet set_;
  std::vector<Bytes> roots_;
};

void Check(const Format& format, const EvidenceStatement& statement, FixtureTrust& trust,
           const Expectation& expectation) {
  trust.source().format = format.name();
  const auto attested = format.Verify(statement, trust, expectation);
  if (!attested.ok()) {
    const Error& error = attested.error();
    const bool expected = error.code == Code::kMalformed || error.code == Code::kBadAttestation ||
                          error.code == Code::kPayloadTooLarge;
    if (!expected) std::abort();
    if (error.code == Code::kBadAttestation && CauseOf(error).empty()) std::abort();
    return;
  }
  if (attested->level < 1 || attested->level > 3) std::abort();
  if (attested->key_bound != (attested->level == 3)) std::abort();
  // What is believed is named as a candidate, and is believed for these octets alone.
  if (format.Candidates(statement, {trust.source()}).size() != 1) std::abort();
  EvidenceStatement changed = statement;
  changed.evidence[changed.evidence.size() / 2] ^= 1;
  if (format.Verify(changed, trust, expectation).ok()) std::abort();
}

}  // namespace
}  // namespace agentca::acme::attest

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)
  using namespace agentca;                // NOLINT(google-build-using-namespace)
  static FixtureTrust trust;
  static const auto kFormats = {MakeJwtFormat().release(), MakeJwtSvidFormat().release(),
                                MakeStatementFormat().release()};
  EvidenceStatement statement;
  statement.evidence.assign(data, data + size);
  Expectation expectation;
  expectation.audience = "https://ca.test/acme/challenge/AUTHZ/agent-attest-01";
  expectation.nonce = Sha256(AsBytes("token.0123456789012345678901234567890123456789012"));
  expectation.now = Time{Seconds{1'800'000'000}};

  trust.source().issuer = "https://kubernetes.default.svc.cluster.local";
  if (const auto token = Token::Parse(statement.evidence); token.ok()) {
    // What follows a signature is reached without one, too.
    const auto claims = token->claims();
    (void)CheckTimes(claims, expectation.now);
    (void)ReplayIdOf("issuer", claims);
    if (const auto all = Audiences(claims); all.ok()) (void)MatchAudience(*all, expectation);
    if (const auto flat = Flatten(claims); flat.ok()) {
      for (const auto& [name, values] : *flat) {
        if (name.size() > 256 || values.empty() || values.size() > 1024) std::abort();
      }
    }
  }
  for (const Format* format : kFormats) {
    trust.source().issuer = format->name() == "jwt-svid"    ? "example.org"
                            : format->name() == "statement" ? ""
                                                            : trust.source().issuer;
    Check(*format, statement, trust, expectation);
    trust.source().issuer = "https://kubernetes.default.svc.cluster.local";
  }
  return 0;
}
