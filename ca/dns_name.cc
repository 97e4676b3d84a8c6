#include "ca/dns_name.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace agentca::ca {
namespace {

constexpr size_t kMaxName = 253;
constexpr size_t kMaxLabel = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLdh(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-'; }

std::optional<uint32_t> PunycodeDigit(char c) {
  if (c >= 'a' && c <= 'z') return static_cast<uint32_t>(c - 'a');
  if (IsDigit(c)) return static_cast<uint32_t>(c - '0' + 26);
  return std::nullopt;
}

// RFC 3492 §6.1.
uint32_t AdaptBias(uint32_t delta, uint32_t points, bool first) {
  delta = first ? delta / 700 : delta / 2;
  delta += delta / points;
  uint32_t k = 0;
  for (; delta > 455; k += 36) delta /= 35;
  return k + 36 * delta / (delta + 38);
}

// Takes one generalized variable-length integer (RFC 3492 §3.3). A label has at most 59 digits and
// code points end at 0x10FFFF: beyond `kLimit` nothing sound follows.
std::optional<uint32_t> TakeDelta(std::string_view& digits, uint32_t bias) {
  constexpr uint64_t kLimit = uint64_t{0x110000} * 64;
  uint64_t delta = 0, weight = 1;
  for (uint32_t k = 36;; k += 36) {
    if (digits.empty()) return std::nullopt;
    const std::optional<uint32_t> digit = PunycodeDigit(digits.front());
    digits.remove_prefix(1);
    if (!digit) return std::nullopt;
    delta += *digit * weight;
    if (delta > kLimit || weight > kLimit) return std::nullopt;
    const uint32_t threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
    if (*digit < threshold) return static_cast<uint32_t>(delta);
    weight *= 36 - threshold;
  }
}

// Whether the text after "xn--" decodes (RFC 3492 §6.2) to a label with characters beyond ASCII.
// Registries and resolvers decide about the rest of IDNA; look-alikes are no concern of a CA that
// validates control of the name.
bool IsPunycode(std::string_view text) {
  const size_t delimiter = text.rfind('-');
  uint32_t points = delimiter == std::string_view::npos ? 0 : static_cast<uint32_t>(delimiter);
  // A delimiter in front would stand for no basic characters, which is written without one.
  if (delimiter == 0) return false;
  if (delimiter != std::string_view::npos) text.remove_prefix(delimiter + 1);
  if (text.empty()) return false;
  uint32_t point = 128, position = 0, bias = 72;
  bool first = true;
  while (!text.empty()) {
    const std::optional<uint32_t> delta = TakeDelta(text, bias);
    if (!delta) return false;
    ++points;
    bias = AdaptBias(*delta, points, first);
    first = false;
    position += *delta;
    point += position / points;
    position = position % points + 1;
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return true;
}

const char* FaultOf(std::string_view label) {
  if (label.empty()) return "has an empty label";
  if (label.size() > kMaxLabel) return "has a label of more than 63 octets";
  if (!std::all_of(label.begin(), label.end(), IsLdh))
    return "has characters other than lower-case letters, digits and hyphens";
  if (label.front() == '-' || label.back() == '-') return "has a label with a hyphen at its edge";
  if (label.size() >= 4 && label.substr(2, 2) == "--" &&
      (!label.starts_with("xn--") || !IsPunycode(label.substr(4))))
    return "has a label in reserved form that is not a valid A-label";
  return nullptr;
}

}  // namespace

std::string ToLowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

Status CheckDnsName(std::string_view name, bool wildcard) {
  const auto refuse = [](const char* why) {
    return Error{Code::kRejectedIdentifier, std::string("DNS name ") + why};
  };
  if (name.empty()) return refuse("is empty");
  if (name.size() > kMaxName) return refuse("is longer than 253 octets");
  const bool starred = name.starts_with("*.");
  if (starred && !wildcard) return refuse("is a wildcard, which is not allowed here");
  if (starred) name.remove_prefix(2);
  size_t labels = 0;
  std::string_view last;
  for (std::string_view rest = name;; ++labels) {
    const size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (const char* fault = FaultOf(last); fault != nullptr) return refuse(fault);
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (starred && labels == 0) return refuse("is a wildcard for a whole top-level domain");
  if (std::all_of(last.begin(), last.end(), IsDigit)) return refuse("ends in a number");
  return {};
}

}  // namespace agentca::ca
