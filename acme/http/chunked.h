// The chunked coding (RFC 9112 §7.1), decoded as octets arrive. Ours, because Beast 1.74 asserts on
// a last chunk that arrives in pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace agentca::acme::http {

class ChunkedDecoder {
 public:
  enum class Progress { kNeedMore, kComplete, kMalformed, kBodyTooLarge, kTrailersTooLong };
  struct Bounds {
    size_t max_body;
    size_t max_trailers;  // octets; trailer fields are checked for form and dropped (§7.1.2)
  };

  explicit ChunkedDecoder(Bounds bounds) : bounds_(bounds) {}
  // Removes what it used from the front of `input` and appends the content to `body`.
  Progress Consume(std::string& input, std::string& body);

 private:
  enum class State { kSize, kData, kDataEnd, kTrailers, kComplete };
  Progress Step(std::string_view& input, std::string& body);
  Progress TakeSize(std::string_view& input, const std::string& body);
  Progress TakeTrailer(std::string_view& input);
  Progress CheckSizeLine(std::string_view line, const std::string& body);

  const Bounds bounds_;
  State state_ = State::kSize;
  size_t left_ = 0;        // octets of the current chunk still to come
  size_t extensions_ = 0;  // octets of chunk extensions so far
  size_t trailers_ = 0;    // octets of trailer lines so far
};

}  // namespace agentca::acme::http
