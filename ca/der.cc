#include "ca/der.h"

#include <array>
#include <cassert>
#include <charconv>
#include <ctime>

namespace agentca::ca::der {
namespace {

void Append(Bytes& out, ByteView more) { out.insert(out.end(), more.begin(), more.end()); }

// X.690 §8.1.3: definite form, the shortest.
void AppendHeader(Bytes& out, uint8_t tag, size_t length) {
  out.push_back(tag);
  if (length < 0x80) {
    out.push_back(static_cast<uint8_t>(length));
    return;
  }
  int octets = 1;
  while (octets < 8 && (length >> (8 * octets)) != 0) ++octets;
  out.push_back(static_cast<uint8_t>(0x80 | octets));
  for (int i = octets - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(length >> (8 * i)));
}

Bytes TlvOf(uint8_t tag, std::initializer_list<ByteView> parts) {
  size_t length = 0;
  for (ByteView part : parts) length += part.size();
  Bytes out;
  out.reserve(length + 10);
  AppendHeader(out, tag, length);
  for (ByteView part : parts) Append(out, part);
  return out;
}

// X.690 §8.19: base-128 groups, most significant first, high bit on all but the last.
void AppendArc(Bytes& out, uint64_t arc) {
  int shift = 63;
  while (shift > 0 && (arc >> shift) == 0) shift -= 7;
  for (; shift > 0; shift -= 7) out.push_back(static_cast<uint8_t>(0x80 | ((arc >> shift) & 0x7f)));
  out.push_back(static_cast<uint8_t>(arc & 0x7f));
}

uint64_t TakeArc(std::string_view& dotted) {
  uint64_t arc = 0;
  const char* const end = dotted.data() + dotted.size();
  const auto [next, error] = std::from_chars(dotted.data(), end, arc);
  assert(error == std::errc{} && (next == end || (*next == '.' && next + 1 != end)));
  dotted.remove_prefix(static_cast<size_t>(next - dotted.data()));
  if (!dotted.empty()) dotted.remove_prefix(1);
  return arc;
}

std::tm UtcOf(Time time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return utc;
}

template <size_t N>
Bytes FormatTime(uint8_t tag, const std::tm& utc, const char (&format)[N]) {
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), format, &utc);
  return Tlv(tag, AsBytes({text.data(), length}));
}

}  // namespace

Bytes Header(uint8_t tag, size_t length) {
  Bytes out;
  AppendHeader(out, tag, length);
  return out;
}

Bytes Tlv(uint8_t tag, ByteView content) { return TlvOf(tag, {content}); }

Bytes Sequence(std::initializer_list<ByteView> elements) { return TlvOf(kSequence, elements); }

Bytes Concat(std::initializer_list<ByteView> elements) {
  size_t length = 0;
  for (ByteView element : elements) length += element.size();
  Bytes out;
  out.reserve(length);
  for (ByteView element : elements) Append(out, element);
  return out;
}

Bytes Boolean(bool value) {
  return {kBoolean, 1, static_cast<uint8_t>(value ? 0xff : 0x00)};  // X.690 §11.1
}

Bytes Integer(uint64_t value) {
  std::array<uint8_t, 8> octets{};
  for (size_t i = 0; i < octets.size(); ++i)
    octets[i] = static_cast<uint8_t>(value >> (8 * (octets.size() - 1 - i)));
  return UnsignedInteger(octets);
}

Bytes UnsignedInteger(ByteView big_endian) {
  while (big_endian.size() > 1 && big_endian.front() == 0) big_endian = big_endian.subspan(1);
  constexpr std::array<uint8_t, 1> kZero{0};
  if (big_endian.empty()) return TlvOf(kInteger, {kZero});
  if ((big_endian.front() & 0x80) != 0) return TlvOf(kInteger, {kZero, big_endian});
  return TlvOf(kInteger, {big_endian});
}

Bytes Enumerated(uint8_t value) {
  if (value < 0x80) return {kEnumerated, 1, value};
  return {kEnumerated, 2, 0, value};
}

Bytes BitString(ByteView octets) {
  constexpr std::array<uint8_t, 1> kNoUnusedBits{0};
  return TlvOf(kBitString, {kNoUnusedBits, octets});
}

// X.690 §11.2.2: "… the bitstring shall have all trailing 0 bits removed before it is encoded."
Bytes NamedBits(uint16_t bits) {
  if (bits == 0) return {kBitString, 1, 0};
  uint8_t unused = 0;
  while (((bits >> unused) & 1) == 0) ++unused;
  const auto high = static_cast<uint8_t>(bits >> 8);
  if (unused >= 8) return {kBitString, 2, static_cast<uint8_t>(unused - 8), high};
  return {kBitString, 3, unused, high, static_cast<uint8_t>(bits & 0xff)};
}

Bytes OctetString(ByteView octets) { return Tlv(kOctetString, octets); }

Bytes Null() { return {kNull, 0}; }

Bytes Oid(std::string_view dotted) {
  const uint64_t first = TakeArc(dotted);
  const uint64_t second = TakeArc(dotted);
  assert(first <= 2 && (first == 2 || second < 40));
  Bytes content;
  AppendArc(content, first * 40 + second);
  while (!dotted.empty()) AppendArc(content, TakeArc(dotted));
  return Tlv(kOid, content);
}

Bytes Utf8String(std::string_view text) { return Tlv(kUtf8String, AsBytes(text)); }
Bytes PrintableString(std::string_view text) { return Tlv(kPrintableString, AsBytes(text)); }
Bytes Ia5String(std::string_view text) { return Tlv(kIa5String, AsBytes(text)); }

Bytes X509Time(Time time) {
  const std::tm utc = UtcOf(time);
  const int year = utc.tm_year + 1900;
  if (year >= 1950 && year < 2050) return FormatTime(kUtcTime, utc, "%y%m%d%H%M%SZ");
  return FormatTime(kGeneralizedTime, utc, "%Y%m%d%H%M%SZ");
}

Bytes GeneralizedTime(Time time) {
  return FormatTime(kGeneralizedTime, UtcOf(time), "%Y%m%d%H%M%SZ");
}

}  // namespace agentca::ca::der
