#include "ca/base/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace agentca {
namespace {

std::tm UtcOf(Time time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return utc;
}

template <size_t N>
std::string Format(Time time, const char (&format)[N]) {
  const std::tm utc = UtcOf(time);
  std::array<char, 64> buffer{};
  return {buffer.data(), std::strftime(buffer.data(), buffer.size(), format, &utc)};
}

// Reads exactly `count` digits from the front of `text`.
bool TakeDigits(std::string_view& text, size_t count, int& out) {
  if (text.size() < count) return false;
  out = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool TakeChar(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Time SystemClock::Now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Seconds SystemClock::Uptime() const {
  std::timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return Seconds{since_boot.tv_sec};
}

std::string ToRfc3339(Time time) { return Format(time, "%Y-%m-%dT%H:%M:%SZ"); }

std::string ToHttpDate(Time time) {
  // strftime's %a and %b follow the locale; the process never calls setlocale, so it is "C".
  return Format(time, "%a, %d %b %Y %H:%M:%S GMT");
}

Result<Time> FromRfc3339(std::string_view text) {
  const Error bad{Code::kMalformed, "not an RFC 3339 date-time"};
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool shaped = TakeDigits(text, 4, year) && TakeChar(text, '-') &&
                      TakeDigits(text, 2, month) && TakeChar(text, '-') &&
                      TakeDigits(text, 2, day) && (TakeChar(text, 'T') || TakeChar(text, 't')) &&
                      TakeDigits(text, 2, hour) && TakeChar(text, ':') &&
                      TakeDigits(text, 2, minute) && TakeChar(text, ':') &&
                      TakeDigits(text, 2, second);
  if (!shaped) return bad;
  if (TakeChar(text, '.')) {
    int digit = 0;
    if (!TakeDigits(text, 1, digit)) return bad;
    while (TakeDigits(text, 1, digit)) continue;
  }
  int offset_minutes = 0;
  if (!TakeChar(text, 'Z') && !TakeChar(text, 'z')) {
    const int sign = TakeChar(text, '-') ? -1 : TakeChar(text, '+') ? 1 : 0;
    int offset_hour = 0, offset_minute = 0;
    if (sign == 0 || !TakeDigits(text, 2, offset_hour) || !TakeChar(text, ':') ||
        !TakeDigits(text, 2, offset_minute) || offset_hour > 23 || offset_minute > 59)
      return bad;
    offset_minutes = sign * (offset_hour * 60 + offset_minute);
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!text.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad;
  return Time{std::chrono::sys_days{date}} + std::chrono::hours{hour} +
         std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second};
}

}  // namespace agentca
