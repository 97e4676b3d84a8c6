// The directory and nonces (RFC 8555 §7.1.1, §7.2): the two resources that need no signature.
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

http::Response DirectoryResponse(const Context& context);
http::Response NonceResponse(const Context& context);

// §6.3: "servers MUST allow GET requests for these resources" beside POST-as-GET.
Result<http::Response> HandleDirectory(Context& context, const VerifiedRequest& request);
Result<http::Response> HandleNewNonce(Context& context, const VerifiedRequest& request);

}  // namespace agentca::acme
