// COSE_Sign1 and COSE_Key from strangers.
#include "acme/attest/cose.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;                // NOLINT(google-build-using-namespace)
  using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)
  if (const auto document = CborDocument::Parse({data, size}); document.ok()) {
    const auto key = ParseCoseKey(document->root());
    if (!key.ok() && key.error().code != Code::kBadPublicKey) std::abort();
  }
  const auto sign1 = CoseSign1::Parse({data, size});
  if (!sign1.ok()) {
    const Code code = sign1.error().code;
    if (code != Code::kMalformed && code != Code::kBadSignatureAlgorithm) std::abort();
    return 0;
  }
  // Sig_structure is CBOR, and ends with the payload that is handed out.
  const auto structure = CborDocument::Parse(sign1->signing_input, {.max_size = 2 * 65536});
  if (!structure.ok()) std::abort();
  const auto parts = structure->root().elements();
  if (parts.size() != 4 || parts[0].AsText() != "Signature1") std::abort();
  const auto payload = parts[3].AsBytes();
  if (!payload || ToBytes(*payload) != sign1->payload) std::abort();
  return 0;
}
