// Where validation may connect to: checked on the numeric address, after name resolution, for each
// connection and each redirect (RFC 8555 §10.4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme {

struct Cidr {
  Bytes address;  // 4 or 16 octets
  int prefix = 0;
  static Result<Cidr> Parse(std::string_view text);  // "10.0.0.0/8", "::1/128"; kMalformed
  bool Contains(ByteView address) const;             // v4-mapped v6 counts as v4
};

bool AnyContains(const std::vector<Cidr>& list, ByteView address);

class NetworkPolicy {
 public:
  // `allow` wins over `deny`. kDefaultDeny: loopback, link-local, metadata addresses, unspecified,
  // multicast, and their disguises: IPv4-mapped, -compatible and -translated addresses, NAT64,
  // 6to4, Teredo, ISATAP.
  NetworkPolicy(std::vector<Cidr> allow, std::vector<Cidr> deny);
  static std::vector<Cidr> DefaultDeny();
  // kRejectedIdentifier, without naming what runs there.
  Status Check(ByteView address) const;

 private:
  std::vector<Cidr> allow_, deny_;
};

}  // namespace agentca::acme
