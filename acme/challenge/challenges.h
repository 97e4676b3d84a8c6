// The table of challenge verifiers: what this CA believes, in one place.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "acme/challenge/resolver.h"
#include "acme/network_policy.h"
#include "acme/verifier.h"

namespace agentca::acme {

struct ValidationLimits {
  std::chrono::milliseconds total{10'000};  // one verification, all redirects and lookups included
  std::chrono::milliseconds connect{5'000};
  size_t max_header = 16 * 1024;
  size_t max_body = 4 * 1024;  // octets read of an http-01 answer
  int max_redirects = 10;      // http-01 only
};

struct ValidationNetwork {
  const Resolver& resolver;
  NetworkPolicy policy;
  ValidationLimits limits;
  uint16_t http01_port = 80;
  uint16_t tls_alpn01_port = 443;
};

std::unique_ptr<Verifier> MakeHttp01(const ValidationNetwork& network);     // RFC 8555 §8.3
std::unique_ptr<Verifier> MakeDns01(const ValidationNetwork& network);      // RFC 8555 §8.4
std::unique_ptr<Verifier> MakeTlsAlpn01(const ValidationNetwork& network);  // RFC 8737, RFC 8738

}  // namespace agentca::acme
