// The PROXY header of load balancers: read as a connection reads it, it comes to the same as whole,
// and no octet of what follows it is taken.
#include "acme/http/proxy_header.h"

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using agentca::acme::http::kMaxProxyHeader;
using agentca::acme::http::ParseProxyHeader;

bool IsAddress(const std::string& text) {
  uint8_t octets[16];
  return ::inet_pton(AF_INET, text.c_str(), octets) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), octets) == 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const agentca::ByteView stream(data, size);
  const auto whole = ParseProxyHeader(stream);
  size_t read = 0;
  auto grown = ParseProxyHeader({});
  while (grown.ok() && !grown->complete) {
    if (grown->size <= read || grown->size > kMaxProxyHeader) std::abort();
    if (grown->size > size) break;
    read = grown->size;
    grown = ParseProxyHeader(stream.first(read));
  }
  if (!grown.ok()) {
    if (whole.ok()) std::abort();
    return 0;
  }
  if (!grown
           ->complete) {  // the stream ends within the header, which may be seen to be wrong by now
    if (whole.ok() && whole->complete) std::abort();
    return 0;
  }
  if (!whole.ok() || !whole->complete) std::abort();
  if (whole->size != read || grown->size != read || whole->source != grown->source) std::abort();
  if (!whole->source.empty() && !IsAddress(whole->source)) std::abort();
  return 0;
}
