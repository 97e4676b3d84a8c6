// JWK Sets over https, from the issuers whose tokens count here.
#pragma once

#include "acme/attest/trust.h"
#include "acme/challenge/challenges.h"

namespace agentca::acme::attest {

inline constexpr size_t kMaxJwks = 256 * 1024;  // octets

// Fetches source.jwks_url: TLS 1.2 or later with a certificate for the URL's host that chains to
// source.ca_pem; the address is checked against the policy after the name was resolved, and the
// connection goes to that very address. network.limits.total bounds all of it, lookups and
// handshake included. Redirects are not followed; only status 200 counts. network.resolver outlives
// the result.
JwksFetch MakeJwksFetch(const ValidationNetwork& network);

}  // namespace agentca::acme::attest
