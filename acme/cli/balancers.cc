#include "acme/cli/balancers.h"

#include <algorithm>

namespace agentca::cli {

Result<Balancers> Balancers::Parse(std::string_view text) {
  Balancers out;
  const size_t space = text.find(' ');
  AGENTCA_ASSIGN(out.network, acme::Cidr::Parse(text.substr(0, space)));
  if (space == std::string_view::npos) return out;
  text.remove_prefix(std::min(text.find_first_not_of(' ', space), text.size()));
  AGENTCA_ASSIGN(out.roles, Roles::Parse(text));
  return out;
}

std::vector<acme::Cidr> Before(Role role, const std::vector<Balancers>& balancers) {
  std::vector<acme::Cidr> networks;
  for (const Balancers& each : balancers)
    if (each.roles.Has(role)) networks.push_back(each.network);
  return networks;
}

}  // namespace agentca::cli
