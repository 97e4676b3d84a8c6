// newOrder, orders, lists of orders, certificates (RFC 8555 §7.4, §7.1.2.1, §7.4.2).
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

Result<http::Response> HandleNewOrder(Context& context, const VerifiedRequest& request);
Result<http::Response> HandleOrder(Context& context, const VerifiedRequest& request);
Result<http::Response> HandleOrderList(Context& context, const VerifiedRequest& request);
Result<http::Response> HandleCertificate(Context& context, const VerifiedRequest& request);

// The order named in the request's path; kNotFound, or kUnauthorized for another account's.
Result<OrderView> FindOwnOrder(Context& context, const VerifiedRequest& request);
// 200 with the order object and its Location; with Retry-After while it is processing.
http::Response OrderResponse(const Context& context, const OrderView& view, Time now);

}  // namespace agentca::acme
