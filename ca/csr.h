// PKCS#10 requests (RFC 2986) from strangers. Only the key and the names are taken from them;
// no other extension or attribute is ever copied into a certificate.
#pragma once

#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::ca {

inline constexpr size_t kMaxCsrSize = 64 * 1024;  // octets of DER

struct Csr {
  PublicKey key;
  std::vector<std::string> dns_names;  // SANs and the common name: lower case, sorted, unique
  std::vector<Bytes> ip_addresses;     // 4 or 16 octets, sorted, unique
};

// Checks the form (DER), the key (as PublicKey does), the signature (proof of possession, with an
// algorithm we accept) and that nothing but dNSName and iPAddress is asked for. Every fault is
// kBadCsr with its cause: trailing data, duplicate extensions, SANs of other types, NUL in a name.
// What else a request says (O=, CA:TRUE, key usages, challenge password) is not even read.
Result<Csr> ParseCsr(ByteView der);

}  // namespace agentca::ca
