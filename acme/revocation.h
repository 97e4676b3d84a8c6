// revokeCert (RFC 8555 §7.6).
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

// By the account that ordered it, by an account that holds authorizations for all its names, or by
// whoever holds the certificate's key.
Result<http::Response> HandleRevocation(Context& context, const VerifiedRequest& request);

}  // namespace agentca::acme
