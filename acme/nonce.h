// Anti-replay nonces (RFC 8555 §6.5): unforgeable, single use.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ca/base/clock.h"
#include "ca/base/random.h"
#include "ca/base/result.h"

namespace agentca::acme {

// Thread-safe.
class NonceBook {
 public:
  virtual ~NonceBook() = default;
  virtual std::string Issue(Time now) = 0;  // waits for nobody
  // Of all calls with one nonce, at whichever node, at most one succeeds. kBadNonce: unknown,
  // spent or too old; kUnavailable: a store that must be asked is away.
  virtual Status Spend(std::string_view nonce, Time now) = 0;
  // Whether Spend waits for a store: then it is nothing for an I/O thread.
  virtual bool spends_elsewhere() const = 0;
};

// Those of one process, in constant memory. A nonce is base64url(counter ‖ truncated
// HMAC-SHA-256(process key, counter)); a bitmap of the last `window` counters tells which were
// spent. Older ones, and those of another process, are refused. Whatever the time is.
class LocalNonces final : public NonceBook {
 public:
  static constexpr size_t kWindow = size_t{1} << 22;  // 512 KiB of bits
  // `window`: a multiple of 64.
  explicit LocalNonces(Random& random, size_t window = kWindow);
  ~LocalNonces() override;
  std::string Issue(Time now) override;
  Status Spend(std::string_view nonce, Time now) override;
  bool spends_elsewhere() const override { return false; }

 private:
  class State;
  std::unique_ptr<State> state_;
};

// What Spend says of every nonce that it refuses.
Error BadNonce();

}  // namespace agentca::acme
