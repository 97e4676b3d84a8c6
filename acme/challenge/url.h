// The http and https URLs that validation follows (RFC 3986), no more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ca/base/result.h"

namespace agentca::acme {

struct Url {
  bool secure = false;   // https
  std::string host;      // lower case; IPv6 literals without brackets
  bool literal = false;  // host is an IP address
  uint16_t port = 80;
  std::string target;  // path and query, starts with "/"

  std::string Authority() const;  // for Host: the port only when it is not the scheme's
  std::string Text() const;       // for messages
};

// An absolute URL that somebody configured. kMalformed with the reason, as below.
Result<Url> ParseUrl(std::string_view text);

// Resolves the value of a Location header against the URL that was asked. kIncorrectResponse with
// the reason: not http or https, user information, no host, octets that no URL has, too long.
Result<Url> ResolveRedirect(const Url& base, std::string_view location);

}  // namespace agentca::acme
