// What makes the evidence for a grant fresh: single-use tokens that live for minutes.
#pragma once

#include <memory>
#include <mutex>

#include "acme/nonce.h"

namespace agentca::acme {

// For at least as long a token is good.
inline constexpr Seconds kGrantTokenLifetime{600};

// Thread-safe. Those of one process: nonces whose key changes every kGrantTokenLifetime and counts
// for one more, so that a token lives for twice that at most. Constant memory: of more than kWindow
// tokens in a period the oldest are lost.
class LocalGrantTokens final : public NonceBook {
 public:
  static constexpr size_t kWindow = size_t{1} << 20;
  explicit LocalGrantTokens(Random& random) : random_(random) {}
  std::string Issue(Time now) override;
  Status Spend(std::string_view token, Time now) override;
  bool spends_elsewhere() const override { return false; }

 private:
  void Turn(Time now);  // with mutex_ held
  Random& random_;
  std::mutex mutex_;  // guards the rest
  std::unique_ptr<LocalNonces> present_, past_;
  Time since_{};  // of present_
};

// Thread-safe. Tokens of a book of their own, never nonces of RFC 8555 §6.5.
class GrantTokens {
 public:
  explicit GrantTokens(NonceBook& book) : book_(book) {}
  std::string Issue(Time now) { return book_.Issue(now); }
  // kUnauthorized: unknown, spent or too old; kUnavailable.
  Status Spend(std::string_view token, Time now);

 private:
  NonceBook& book_;
};

}  // namespace agentca::acme
