// The reader of HTTP requests: fed whole and one octet at a time it must come to the same end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "acme/http/request_reader.h"

namespace {

using agentca::acme::http::RequestReader;
constexpr RequestReader::Bounds kBounds{2048, 1024};

RequestReader::Progress Settle(RequestReader& reader, std::string& input) {
  auto progress = reader.Consume(input);
  if (progress == RequestReader::Progress::kExpects) progress = reader.Consume(input);
  return progress;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  RequestReader whole(kBounds, "192.0.2.1");
  std::string input(octets);
  const auto at_once = Settle(whole, input);

  RequestReader slow(kBounds, "192.0.2.1");
  auto by_octet = RequestReader::Progress::kNeedMore;
  std::string buffer;
  for (size_t i = 0; i < size && by_octet == RequestReader::Progress::kNeedMore; ++i) {
    buffer.push_back(octets[i]);
    by_octet = Settle(slow, buffer);
  }
  if (at_once == RequestReader::Progress::kComplete) {
    if (by_octet != at_once) std::abort();
    if (whole.request().body != slow.request().body) std::abort();
    if (whole.request().path != slow.request().path) std::abort();
    if (whole.request().body.size() > kBounds.max_body) std::abort();
  }
  // A request that was refused as a whole must not be accepted in pieces.
  if (at_once == RequestReader::Progress::kRefused &&
      by_octet == RequestReader::Progress::kComplete)
    std::abort();
  return 0;
}
