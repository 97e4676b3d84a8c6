#include "ca/name.h"

#include <algorithm>
#include <optional>

#include "ca/der.h"

namespace agentca::ca {
namespace {

struct AttributeRule {
  std::string_view name;
  std::string_view oid;
  size_t min_length;  // in characters
  size_t max_length;  // RFC 5280 Appendix A.1
  bool printable;     // PrintableString; otherwise UTF8String
};

const AttributeRule& RuleOf(Attribute attribute) {
  static constexpr AttributeRule kCommonName{"CN", "2.5.4.3", 1, 64, false};
  static constexpr AttributeRule kOrganization{"O", "2.5.4.10", 1, 64, false};
  static constexpr AttributeRule kOrganizationalUnit{"OU", "2.5.4.11", 1, 64, false};
  static constexpr AttributeRule kSerialNumber{"serialNumber", "2.5.4.5", 1, 64, true};
  static constexpr AttributeRule kCountry{"C", "2.5.4.6", 2, 2, true};
  switch (attribute) {
    case Attribute::kCommonName:
      return kCommonName;
    case Attribute::kOrganization:
      return kOrganization;
    case Attribute::kOrganizationalUnit:
      return kOrganizationalUnit;
    case Attribute::kSerialNumber:
      return kSerialNumber;
    case Attribute::kCountry:
      break;
  }
  return kCountry;
}

// Takes one code point off valid UTF-8 (RFC 3629: no overlong forms, no surrogates).
std::optional<uint32_t> TakeCodePoint(std::string_view& text) {
  const auto lead = static_cast<uint8_t>(text.front());
  const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length == 0 || lead > 0xf4 || text.size() < length) return std::nullopt;
  uint32_t point = length == 1 ? lead : lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return std::nullopt;
    point = (point << 6) | (next & 0x3fU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
  text.remove_prefix(length);
  return point;
}

// The length in characters; nothing for invalid UTF-8 and for control characters.
std::optional<size_t> CountCharacters(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) {
    const std::optional<uint32_t> point = TakeCodePoint(text);
    if (!point || *point < 0x20 || (*point >= 0x7f && *point < 0xa0)) return std::nullopt;
  }
  return count;
}

// X.680 §41.4, table 10.
bool IsPrintable(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
}

Status Check(const NamePart& part, const AttributeRule& rule) {
  const auto refuse = [&](std::string_view why) {
    return Error{Code::kMalformed,
                 "subject attribute " + std::string(rule.name) + " " + std::string(why)};
  };
  const std::optional<size_t> length = CountCharacters(part.value);
  if (!length) return refuse("is not UTF-8 text without control characters");
  if (*length < rule.min_length) return refuse("is too short");
  if (*length > rule.max_length) return refuse("is too long");
  if (rule.printable && !std::all_of(part.value.begin(), part.value.end(), IsPrintable))
    return refuse("has characters outside PrintableString");
  if (part.attribute == Attribute::kCountry &&
      !std::all_of(part.value.begin(), part.value.end(),
                   [](char c) { return c >= 'A' && c <= 'Z'; }))
    return refuse("is not two upper-case letters");
  return {};
}

}  // namespace

std::string_view ToString(Attribute attribute) { return RuleOf(attribute).name; }

std::optional<Attribute> AttributeFromString(std::string_view text) {
  for (Attribute attribute :
       {Attribute::kCommonName, Attribute::kOrganization, Attribute::kOrganizationalUnit,
        Attribute::kSerialNumber, Attribute::kCountry})
    if (text == ToString(attribute)) return attribute;
  return std::nullopt;
}

// Name ::= SEQUENCE OF RelativeDistinguishedName
// RelativeDistinguishedName ::= SET OF SEQUENCE { type OBJECT IDENTIFIER, value DirectoryString }
Result<Bytes> EncodeName(const Name& name) {
  Bytes rdns;
  for (const NamePart& part : name) {
    const AttributeRule& rule = RuleOf(part.attribute);
    AGENTCA_TRY(Check(part, rule));
    const Bytes value =
        rule.printable ? der::PrintableString(part.value) : der::Utf8String(part.value);
    const Bytes rdn = der::Tlv(der::kSet, der::Sequence({der::Oid(rule.oid), value}));
    rdns.insert(rdns.end(), rdn.begin(), rdn.end());
  }
  return der::Tlv(der::kSequence, rdns);
}

}  // namespace agentca::ca
