// A small DER writer (X.690). It only writes: hostile DER is parsed by OpenSSL alone.
#pragma once

#include <initializer_list>
#include <string_view>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"

namespace agentca::ca::der {

enum Tag : uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kBitString = 0x03,
  kOctetString = 0x04,
  kNull = 0x05,
  kOid = 0x06,
  kEnumerated = 0x0a,
  kUtf8String = 0x0c,
  kPrintableString = 0x13,
  kIa5String = 0x16,
  kUtcTime = 0x17,
  kGeneralizedTime = 0x18,
  kSequence = 0x30,
  kSet = 0x31,
};
constexpr uint8_t Primitive(uint8_t n) { return static_cast<uint8_t>(0x80 | n); }    // [n] IMPLICIT
constexpr uint8_t Constructed(uint8_t n) { return static_cast<uint8_t>(0xa0 | n); }  // [n] EXPLICIT

// Each function returns one complete TLV; compose them by concatenation.
Bytes Tlv(uint8_t tag, ByteView content);
Bytes Sequence(std::initializer_list<ByteView> elements);
Bytes Concat(std::initializer_list<ByteView> elements);
Bytes Boolean(bool value);
Bytes Integer(uint64_t value);
Bytes UnsignedInteger(ByteView big_endian);  // any length; leading zeros dropped, sign octet added
Bytes Enumerated(uint8_t value);
Bytes BitString(ByteView octets);            // no unused bits
Bytes NamedBits(uint16_t bits);              // bit 0 of the ASN.1 list is 0x8000; trailing zeros cut
Bytes OctetString(ByteView octets);
Bytes Null();
Bytes Oid(std::string_view dotted);          // asserts on malformed literals; for ours only
Bytes Utf8String(std::string_view text);
Bytes PrintableString(std::string_view text);
Bytes Ia5String(std::string_view text);
// RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050; no fraction.
Bytes X509Time(Time time);
Bytes GeneralizedTime(Time time);
// The octets of the header for a content of `length` octets: for writers that stream.
Bytes Header(uint8_t tag, size_t length);

}  // namespace agentca::ca::der
