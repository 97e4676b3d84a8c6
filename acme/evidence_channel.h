// The two ways for evidence that need no account: drops and grants. What is common to them.
#pragma once

#include <string>
#include <vector>

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/json.h"

namespace agentca::acme {

inline constexpr size_t kMaxEvidenceBody = 128 * 1024;  // octets, as the largest JWS

// Who may speak without a signature is limited by address, whatever they ask for; nullopt: go on.
std::optional<http::Response> LimitByAddress(Context& context, const http::Request& request,
                                             Time now);
// Verifying costs: limited for all together, and asked only about evidence that has an addressee.
std::optional<http::Response> LimitVerifications(Context& context, Time now);

// kUnsupportedMediaType, kPayloadTooLarge.
Status CheckEvidenceBody(const http::Request& request);

// Members "formats" and "keyBinding" of challenges, drops and grants.
void WriteOffer(JsonWriter& json, const Attestor::Offer& offer);

http::Response JsonResponse(int status, std::string body);

}  // namespace agentca::acme
