// The path of an OCSP GET.
#include "acme/ocsp_path.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ca/ocsp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto request = agentca::acme::OcspRequestFromPath(agentca::AsText({data, size}));
  if (!request.ok()) return 0;
  // What was accepted is within bounds, and its canonical form means the same.
  const auto again = agentca::acme::OcspRequestFromPath(agentca::ToBase64(*request));
  const bool canonical_starts_with_slash = agentca::ToBase64(*request).front() == '/';
  if (request->empty() || request->size() > agentca::ca::kMaxOcspRequestSize) std::abort();
  if (!canonical_starts_with_slash && (!again.ok() || *again != *request)) std::abort();
  return 0;
}
