// Authorizations and challenges (RFC 8555 §7.5).
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

// POST-as-GET and deactivation (§7.5.2).
Result<http::Response> HandleAuthorization(Context& context, const VerifiedRequest& request);
// POST-as-GET looks; a JSON object starts the validation (§7.5.1).
Result<http::Response> HandleChallenge(Context& context, const VerifiedRequest& request);

}  // namespace agentca::acme
