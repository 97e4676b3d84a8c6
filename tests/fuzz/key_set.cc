// JWK Sets from issuers.
#include <cstdlib>

#include "acme/attest/trust.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;  // NOLINT(google-build-using-namespace)
  const auto set = acme::attest::KeySet::Parse(AsText({data, size}));
  if (!set.ok()) {
    if (set.error().code != Code::kMalformed) std::abort();
    return 0;
  }
  if (set->keys.empty() || set->keys.size() > 64) std::abort();
  for (const auto& [kid, key] : set->keys) {
    bool found = false;
    for (const auto& each : set->Find(kid)) found = found || each == key;
    if (!found) std::abort();
  }
  return 0;
}
