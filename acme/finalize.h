// Finalizing an order (RFC 8555 §7.4): from a CSR to a certificate, or to an order that says why
// not.
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

// Whatever is wrong with the request leaves the order ready. Once BeginFinalize has recorded the
// intent the order settles: valid with a certificate, or invalid with an error.
Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request);

}  // namespace agentca::acme
