// Where a client on this machine reaches a listener with TLS.
#pragma once

#include <string>

#include "acme/cli/config.h"

namespace agentca::cli {

// "https://HOST:PORT": a host that this machine knows and the TLS certificate has.
Result<std::string> LocalUrl(const Config& config, const Endpoint& listen, uint16_t port);

}  // namespace agentca::cli
