// The body of a drop, which anybody may send; and the certificates in it.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "acme/attest/chain.h"
#include "acme/attest/format.h"

namespace {

using namespace agentca;                // NOLINT(google-build-using-namespace)
using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)

class FixtureRoots final : public Trust {
 public:
  FixtureRoots() {
    std::ostringstream text;
    text << std::ifstream(AGENTCA_TESTDATA "/chains/roots.pem").rdbuf();
    roots_ = ParsePemCertificates(text.str()).value();
  }
  const ca::EvidenceSource& source() const override { return source_; }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view) const override {
    return BadAttestation(cause::kUnknownKey, "there are none");
  }
  const std::vector<Bytes>& roots() const override { return roots_; }

 private:
  ca::EvidenceSource source_;
  std::vector<Bytes> roots_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FixtureRoots kRoots;
  static const Format* const kX5c = MakeX5cFormat().release();
  const auto statement = ParseEvidenceStatement(AsText({data, size}));
  if (!statement.ok()) {
    const Code code = statement.error().code;
    if (code != Code::kMalformed && code != Code::kPayloadTooLarge) std::abort();
    return 0;
  }
  if (statement->evidence.empty() || statement->evidence.size() > kMaxEvidence) std::abort();
  if (statement->chain.size() > kMaxChain || statement->pop.size() > kMaxPop) std::abort();
  if (!statement->pop.empty() && !statement->key) std::abort();

  Expectation expectation;
  expectation.nonce = Sha256(AsBytes("token.0123456789012345678901234567890123456789012"));
  expectation.key = statement->key ? &*statement->key : nullptr;
  expectation.now = Time{Seconds{1'800'000'000}};
  const auto attested = kX5c->Verify(*statement, kRoots, expectation);
  if (!attested.ok()) {
    const Code code = attested.error().code;
    if (code != Code::kMalformed && code != Code::kBadAttestation) std::abort();
  } else if (attested->key_bound != statement->key.has_value()) {
    std::abort();
  }
  return 0;
}
