// Who is at the other end of a connection.
#pragma once

#include <string>

#include "ca/base/bytes.h"

namespace agentca::acme::http {

struct Peer {
  std::string address;    // numeric, without port
  bool balancer = false;  // its connections begin with a PROXY header (ServerOptions::balancers)
};

// The text of an address of 4 or 16 octets; an IPv4-mapped one is the IPv4 address that it maps.
std::string NumericAddress(ByteView octets);

}  // namespace agentca::acme::http
