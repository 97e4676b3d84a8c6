// AgentIdentity extensions from strangers: no input may crash, and whatever is accepted is written
// with the very octets it was read from.
#include "ca/agent_identity.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstdlib>

namespace {

void Require(bool kept) {
  if (!kept) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto identity = agentca::ca::ParseAgentIdentity({data, size});
  Require(ERR_peek_error() == 0);
  if (!identity) {
    Require(identity.error().code == agentca::Code::kMalformed && !identity.error().detail.empty());
    return 0;
  }
  const auto written = agentca::ca::EncodeAgentIdentityValue(*identity);
  Require(written.ok() && std::equal(written->begin(), written->end(), data, data + size));
  return 0;
}
