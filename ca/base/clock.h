// Time as a value. The clock is read once per request; everything below takes `Time now`.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "ca/base/result.h"

namespace agentca {

// Whole seconds of UTC since 1970, without leap seconds: what X.509 and ACME can express.
using Time = std::chrono::sys_seconds;
using Seconds = std::chrono::seconds;

class Clock {  // thread-safe
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
  // Time passed since some instant of the past, sleep of the machine included: runs on evenly
  // whatever is done to Now().
  virtual Seconds Uptime() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time Now() const override;
  Seconds Uptime() const override;
};

// RFC 3339 in UTC: "2026-11-22T04:05:06Z".
std::string ToRfc3339(Time time);
// Accepts the RFC 3339 date-time forms with "Z" or a numeric offset; a fraction is dropped.
Result<Time> FromRfc3339(std::string_view text);
// RFC 9110 §5.6.7: "Sun, 22 Nov 2026 04:05:06 GMT".
std::string ToHttpDate(Time time);

}  // namespace agentca
