// DNS names as they may stand in a certificate.
#pragma once

#include <string>
#include <string_view>

#include "ca/base/result.h"

namespace agentca::ca {

// ASCII letters made lower case; other octets stay.
std::string ToLowerAscii(std::string_view text);

// Whether `name` is a lower-case host name (RFC 5890 §2.3.1): LDH labels of 1 to 63 octets, 253 in
// all, no final dot, not an IPv4 address in disguise; every label with "--" in third place is an
// A-label whose Punycode (RFC 3492) decodes. A leading "*." is allowed when `wildcard` is set and
// then at least two labels must follow. kRejectedIdentifier says what is wrong.
Status CheckDnsName(std::string_view name, bool wildcard);

}  // namespace agentca::ca
