// Drops: evidence for a challenge, left by a hook that knows no more than the name and the TXT
// value (agent-attest-01). They need no account: what is dropped must prove the agent anyway, and
// counts only for the authorization whose key authorization it covers.
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"

namespace agentca::acme {

// /acme/drop/<dns name>/<b64url(N)>
//   GET  → 200 with audience, formats and keyBinding of the pending challenge, so that evidence can
//          be made for it
//   POST → 200 when the evidence is valid: the first that is wins (kConflict afterwards); refused
//          evidence changes nothing, another may follow
// kNotFound when no pending challenge has this name and N: nothing is parsed or stored before.
Result<http::Response> HandleDrop(Context& context, const http::Request& request,
                                  const std::vector<std::string>& ids);

}  // namespace agentca::acme
