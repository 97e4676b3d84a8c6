// Distinguished names as this CA writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::ca {

enum class Attribute : uint8_t {
  kCommonName,
  kOrganization,
  kOrganizationalUnit,
  kSerialNumber,
  kCountry
};

// "CN", "O", "OU", "serialNumber", "C": as profiles and RFC 4514 write them.
std::string_view ToString(Attribute attribute);
std::optional<Attribute> AttributeFromString(std::string_view text);

struct NamePart {
  Attribute attribute;
  std::string value;  // UTF-8
};
using Name = std::vector<NamePart>;  // one attribute an RDN, in order

// RFC 5280 §4.1.2.4; values are UTF8String, serialNumber and country PrintableString.
// kMalformed: empty, over the upper bound of RFC 5280 Appendix A.1, or not valid UTF-8.
Result<Bytes> EncodeName(const Name& name);

}  // namespace agentca::ca
