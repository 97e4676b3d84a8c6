// HTTP for the command that runs beside an agent: this CA, and the token endpoints of platforms.
// Not for validation or key sets, whose servers strangers choose (acme/attest/jwks_fetch.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ca/base/result.h"

namespace agentca::cli {

struct WebRequest {
  std::string url;         // "https://host[:port]/path?query", or http:// for metadata services
  std::string body;        // POST with this; "" : GET
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string ca_file{};   // PEM: trust these CAs alone; "" : those of the system
};
struct WebResponse {
  int status = 0;
  std::string body;  // at most 1 MiB
  std::string retry_after;
};

// Redirects are not followed; proxies of the environment are not used. kMalformed: not such a URL;
// kUnavailable says in words what failed. Each step has a time-out; the caller's whole run has a
// deadline (acme/cli/deadline.h).
Result<WebResponse> Ask(const WebRequest& request);

// "a b/c" → "a%20b%2Fc": for a query's value (RFC 3986 §2.1).
std::string PercentEncode(std::string_view text);

}  // namespace agentca::cli
