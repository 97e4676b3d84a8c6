// The header with which a load balancer says for whom it opened a connection: HAProxy's PROXY
// protocol, versions 1 (a line of text) and 2 (binary). §§ are those of doc/proxy-protocol.txt.
#pragma once

#include <cstddef>
#include <string>

#include "ca/base/bytes.h"

namespace agentca::acme::http {

// §2: "Both formats are designed to fit in the smallest TCP segment that any TCP/IP host is
// required to support (576 - 40 = 536 bytes)." What follows the addresses there is skipped.
inline constexpr size_t kMaxProxyHeader = 536;
// §2.1, the CRLF included.
inline constexpr size_t kMaxProxyLine = 107;

struct ProxyHeader {
  bool complete = false;
  // Of a complete one its octets; before that as many as every header has that begins so, and more
  // than there are. Who reads up to there, and looks again, reads none of what comes behind.
  size_t size = 0;
  // Of a complete one the client, numeric; "" when the balancer speaks for itself (LOCAL: its
  // health checks) or does not say (UNKNOWN, and what is not TCP over IPv4 or IPv6): the
  // connection's own address stands.
  std::string source;
};

// `octets`: the first of a connection, any number. kMalformed as soon as they begin no header.
Result<ProxyHeader> ParseProxyHeader(ByteView octets);

}  // namespace agentca::acme::http
