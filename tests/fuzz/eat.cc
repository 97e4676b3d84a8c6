// Entity Attestation Tokens from strangers, in both serializations, and claims as if they were
// signed.
#include "acme/attest/cwt.h"
#include "acme/json.h"
#include "tests/fuzz/any_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;                // NOLINT(google-build-using-namespace)
  using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)
  static const fuzz::AnySource source("eat", "eat/jwks.json", "eat/root.der");
  static const auto format = MakeEatFormat();
  static const auto key = ca::PublicKey::FromSpki(fuzz::TestData("eat/key.spki")).value();
  static const Bytes nonce = fuzz::TestData("eat/nonce");

  const auto claims = ReadCwtClaims({data, size});
  if (!claims.ok() && claims.error().code != Code::kMalformed) std::abort();
  // What is made of claims is JSON, but for names that collide, NUL and depth.
  if (claims.ok())
    (void)acme::JsonDocument::Parse(claims->json, {.max_size = 1 << 20, .max_depth = 20});

  EvidenceStatement statement;
  statement.format = "eat";
  statement.evidence.assign(data, data + size);
  statement.key = key;
  Expectation expectation;
  expectation.audience = "https://ca.example/acme/challenge/Zm9v/agent-attest-01";
  std::copy(nonce.begin(), nonce.end(), expectation.nonce.begin());
  expectation.key = &key;
  expectation.now = Time{Seconds{1'893'456'000}};
  (void)format->Candidates(statement, {source.source()});
  const auto answer = format->Verify(statement, source, expectation);
  fuzz::CheckAnswer(answer);
  if (answer.ok() || CauseOf(answer.error()) != cause::kBadSignature) return 0;
  static const Bytes certificate = fuzz::TestData("eat/leaf.der");
  statement.chain = {certificate};
  fuzz::CheckAnswer(format->Verify(statement, source, expectation));
  return 0;
}
