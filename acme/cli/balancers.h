// Load balancers before a node whose connections begin with a PROXY header (proxy-protocol-from).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/cli/roles.h"
#include "acme/network_policy.h"

namespace agentca::cli {

struct Balancers {
  acme::Cidr network;
  Roles roles;  // whose listeners they connect to with a header
  // "192.0.2.10", "192.0.2.0/28 acme,admin"; kMalformed. Without roles: all.
  static Result<Balancers> Parse(std::string_view text);
};

// Those of one listener.
std::vector<acme::Cidr> Before(Role role, const std::vector<Balancers>& balancers);

}  // namespace agentca::cli
