// What makes the evidence for a grant fresh: single-use tokens that live for minutes.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "acme/nonce.h"
#include "ca/base/clock.h"

namespace agentca::acme {

// Thread-safe. Tokens are nonces of their own key, never those of RFC 8555 §6.5. The key changes
// every kPeriod and counts for one more, so that a token lives for kPeriod at least and twice that
// at most. Constant memory: of more than kWindow tokens in a period the oldest are lost.
class GrantTokens {
 public:
  static constexpr Seconds kPeriod{600};
  static constexpr size_t kWindow = size_t{1} << 20;
  explicit GrantTokens(Random& random) : random_(random) {}
  std::string Issue(Time now);
  Status Spend(std::string_view token, Time now);  // kUnauthorized: unknown, spent or too old

 private:
  void Turn(Time now);  // with mutex_ held
  Random& random_;
  std::mutex mutex_;  // guards the rest
  std::unique_ptr<Nonces> present_, past_;
  Time since_{};  // of present_
};

}  // namespace agentca::acme
