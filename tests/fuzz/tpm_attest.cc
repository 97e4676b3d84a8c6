// TPM structures from strangers: each reader gets the same octets, and the whole evidence as JSON.
#include "acme/attest/tpm_structures.h"
#include "tests/fuzz/any_source.h"

namespace {

void CheckTyped(const agentca::Error& error) {
  using agentca::Code;
  if (error.code != Code::kMalformed && error.code != Code::kBadAttestation) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;                // NOLINT(google-build-using-namespace)
  using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)
  static const fuzz::AnySource source("tpm", "", "tpm/root.der");
  static const auto format = MakeTpmFormat();
  static const auto key = ca::PublicKey::FromSpki(fuzz::TestData("tpm/key.spki")).value();
  static const Bytes nonce = fuzz::TestData("tpm/nonce");
  static const Bytes certificate = fuzz::TestData("tpm/ak.der");
  const ByteView octets(data, size);

  if (const auto attest = TpmAttest::Parse(octets); !attest.ok()) CheckTyped(attest.error());
  const auto area = TpmPublic::Parse(octets);
  if (!area.ok()) CheckTyped(area.error());
  if (area.ok() && area->name.size() < 34) std::abort();
  const auto verified = VerifyTpmSignature(key, nonce, octets);
  if (verified.ok()) std::abort();  // nobody signed that
  CheckTyped(verified.error());

  EvidenceStatement statement;
  statement.format = "tpm";
  statement.evidence = ToBytes(octets);
  statement.chain = {certificate};
  statement.key = key;
  Expectation expectation;
  expectation.audience = "https://ca.example/acme/challenge/Zm9v/agent-attest-01";
  std::copy(nonce.begin(), nonce.end(), expectation.nonce.begin());
  expectation.key = &key;
  expectation.now = Time{Seconds{1'893'456'000}};
  fuzz::CheckAnswer(format->Verify(statement, source, expectation));
  return 0;
}
