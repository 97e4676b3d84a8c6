#include "acme/rate_limit.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>

#include "ca/base/bytes.h"

namespace agentca::acme {
namespace {

constexpr double kHour = 3600;

}  // namespace

RateLimit::RateLimit(uint32_t per_hour, size_t max_keys)
    : capacity_(per_hour), max_keys_(max_keys) {}

std::optional<Seconds> RateLimit::Spend(std::string_view key, Time now, size_t count) {
  if (capacity_ == 0) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found != index_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
  } else {
    if (buckets_.size() >= max_keys_) {
      index_.erase(buckets_.back().key);
      buckets_.pop_back();
    }
    buckets_.push_front({std::string(key), capacity_, now});
    index_.emplace(buckets_.front().key, buckets_.begin());
  }

  Bucket& bucket = buckets_.front();
  const auto elapsed = std::max<double>(0, static_cast<double>((now - bucket.filled_at).count()));
  bucket.tokens = std::min(capacity_, bucket.tokens + elapsed * capacity_ / kHour);
  bucket.filled_at = now;
  const double wanted = std::min(capacity_, static_cast<double>(count));
  if (bucket.tokens >= wanted) {
    bucket.tokens -= wanted;
    return std::nullopt;
  }
  const double wait = std::ceil((wanted - bucket.tokens) * kHour / capacity_);
  return Seconds(static_cast<int64_t>(wait));
}

std::string RateLimitKeyOf(std::string_view numeric_address) {
  in6_addr v6{};
  const std::string text(numeric_address);
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6)) return text;
  return ToHex(ByteView(v6.s6_addr, 8)) + "/64";
}

}  // namespace agentca::acme
