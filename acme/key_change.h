// Account key rollover (RFC 8555 §7.3.5).
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

Result<http::Response> HandleKeyChange(Context& context, const VerifiedRequest& request);

}  // namespace agentca::acme
