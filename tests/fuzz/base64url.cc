// base64url has one text for each value: whatever decodes, encodes to the same text again.
#include <cstdlib>

#include "ca/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;  // NOLINT(google-build-using-namespace)
  const ByteView octets(data, size);
  const auto decoded = FromBase64Url(AsText(octets));
  if (decoded.ok() && ToBase64Url(*decoded) != AsText(octets)) std::abort();
  const auto round = FromBase64Url(ToBase64Url(octets));
  if (!round.ok() || *round != ToBytes(octets)) std::abort();
  return 0;
}
