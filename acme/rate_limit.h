// Token buckets in bounded memory (RFC 8555 §6.6).
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ca/base/clock.h"

namespace agentca::acme {

// Thread-safe. Each key may spend `per_hour` at once and regains that many within an hour. Buckets
// that were not used for long are forgotten first; forgetting is in the key's favour.
class RateLimit {
 public:
  static constexpr size_t kMaxKeys = 100'000;
  explicit RateLimit(uint32_t per_hour, size_t max_keys = kMaxKeys);  // 0: unlimited
  // Spends `count` (at the most all that a full bucket holds), or says how long to wait for as
  // many.
  std::optional<Seconds> Spend(std::string_view key, Time now, size_t count = 1);

 private:
  struct Bucket {
    std::string key;
    double tokens;
    Time filled_at;
  };
  const double capacity_;
  const size_t max_keys_;
  std::mutex mutex_;           // guards the rest
  std::list<Bucket> buckets_;  // last used first
  std::unordered_map<std::string_view, std::list<Bucket>::iterator>
      index_;  // keys live in buckets_
};

// The unit in which client addresses are limited: an IPv4 address, or the /64 of an IPv6 address,
// which is what one subscriber usually has.
std::string RateLimitKeyOf(std::string_view numeric_address);

}  // namespace agentca::acme
