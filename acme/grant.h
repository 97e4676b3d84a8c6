// Grants: an agent proves itself before there is an account and gets an External Account Binding
// (RFC 8555 §7.3.4) for it, single use.
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"

namespace agentca::acme {

// How long the account may be made with it.
inline constexpr Seconds kGrantLifetime{600};

// /acme/grant
//   GET ?agent=<dns name> → 200 with audience, token, nonce (N = SHA-256(token)), formats and
//                           keyBinding
//   POST {"agent","token","fmt","evidence",…} → 201 with kid, hmacKey, agent, expires and level.
//        The token is spent by the attempt, whatever comes of it.
Result<http::Response> HandleGrant(Context& context, const http::Request& request,
                                   const std::vector<std::string>& ids);

}  // namespace agentca::acme
