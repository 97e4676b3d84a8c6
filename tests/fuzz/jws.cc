// JWS from strangers, the first thing that every POST meets.
#include "acme/jws.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;  // NOLINT(google-build-using-namespace)
  const auto jws = acme::Jws::Parse(AsText({data, size}));
  if (!jws.ok()) return 0;
  if (jws->jwk.has_value() == jws->kid.has_value()) std::abort();

  // What is signed is exactly what was decoded.
  const size_t dot = jws->signing_input.find('.');
  if (dot == std::string::npos) std::abort();
  const auto payload = FromBase64Url(std::string_view(jws->signing_input).substr(dot + 1));
  if (!payload.ok() || AsText(*payload) != jws->payload) std::abort();

  if (!jws->jwk) return 0;
  if (acme::Thumbprint(*jws->jwk).size() != 43) std::abort();
  const bool verified = jws->Verify(*jws->jwk).ok();
  acme::Jws changed = *jws;
  changed.signing_input += 'A';
  if (verified && changed.Verify(*jws->jwk).ok()) std::abort();
  return 0;
}
