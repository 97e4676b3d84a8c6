// An HTTP request and response as handlers see them. Limits were enforced before.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme::http {

// Header names compare without regard to case (ASCII; RFC 9110 §5.1).
bool EqualNames(std::string_view a, std::string_view b);

struct Request {
  std::string method;  // "GET", as sent
  std::string path;    // target before "?", as sent: not decoded, starts with "/"
  std::string query;   // after "?", not decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names as sent
  std::string body;                                          // octets
  std::string remote_address;                                // numeric, without port
  Bytes peer_certificate;  // DER; verified by the edge (ServerOptions::clients); else empty
  // The only value of a header (case-insensitive name); "" when absent. A second value of the same
  // name makes the edge refuse the request for the names handlers rely on.
  std::string_view Header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // When set, sent instead of `body`: shared, immutable (cached OCSP answers, CRLs).
  std::shared_ptr<const Bytes> shared_body;
  Response& With(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

}  // namespace agentca::acme::http
