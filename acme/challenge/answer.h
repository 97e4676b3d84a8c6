// The answer of a stranger's HTTP server, read within limits.
#pragma once

#include <string>

#include "acme/challenge/challenges.h"
#include "acme/challenge/wire.h"

namespace agentca::acme {

struct HttpAnswer {
  int status = 0;
  std::string location;
  std::string body;
};

// One response to one request sent on `wire`; interim responses (1xx) are skipped.
// kIncorrectResponse: not HTTP, or larger than `limits` allow; kConnection, kTls.
Result<HttpAnswer> ReadAnswer(Wire& wire, const ValidationLimits& limits, Deadline deadline);

}  // namespace agentca::acme
