// Anti-replay nonces (RFC 8555 §6.5) of one process: unforgeable, single use, constant memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ca/base/random.h"
#include "ca/base/result.h"

namespace agentca::acme {

// Thread-safe. A nonce is base64url(counter ‖ truncated HMAC-SHA-256(process key, counter)); a
// bitmap of the last `window` counters tells which were spent. Older ones, and those of another
// process, are refused: kBadNonce.
class Nonces {
 public:
  static constexpr size_t kWindow = size_t{1} << 22;  // 512 KiB of bits
  // `window`: a multiple of 64.
  explicit Nonces(Random& random, size_t window = kWindow);
  ~Nonces();
  std::string Issue();
  Status Spend(std::string_view nonce);  // of two parallel calls exactly one succeeds

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace agentca::acme
