// Errors on the wire: RFC 8555 §6.7 problem documents (RFC 7807), from one table.
#pragma once

#include <string>
#include <string_view>

#include "acme/http/message.h"
#include "acme/json.h"
#include "ca/base/clock.h"
#include "ca/base/random.h"
#include "ca/base/result.h"

namespace agentca::acme {

struct ProblemKind {
  Code code;
  std::string_view type;  // after "urn:ietf:params:acme:error:"; only registered ones
  int status;             // HTTP
};
const ProblemKind& KindOf(Code code);

// How long clients shall wait when we do not know better (Retry-After, seconds).
inline constexpr int kRetryAfterSeconds = 5;

// What may leave this process of an error: the detail of kInternal is logged under an incident
// number, which then is all that clients see (as `subject`); that of kUnavailable becomes a
// sentence that names no dependency. Applied before an error is stored with an order or answered.
Error Disclose(Error error, Random& random);

// The problem document as a JSON value, for "error" members too. Subproblems carry their identifier
// (`subject` of each cause, "dns:…"); the top level never does (§6.7.1).
void WriteProblem(JsonWriter& json, const Error& error);
std::string ProblemJson(const Error& error);

// A response with the status of the table; with Retry-After where the code asks for one and, for
// kUserActionRequired (`subject`: URL of the terms), `instance` and the link of §7.3.3.
http::Response ProblemResponse(const Error& error);
// 429 with the time to wait (§6.6).
http::Response RateLimitedResponse(std::string_view detail, Seconds wait);
// For requests that the network edge refused.
http::Response ProblemResponse(int status, std::string_view detail);

}  // namespace agentca::acme
