#include <algorithm>
#include <cassert>

#include "acme/cli/options.h"

namespace agentca::cli {

const CommandInfo& InfoOf(Command command) {
  const auto table = CommandTable();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const CommandInfo& row) { return row.command == command; });
  assert(found != table.end());
  return *found;
}

std::string_view Heading(Group group) {
  switch (group) {
    case Group::kGeneral:
      return "General";
    case Group::kIdentity:
      return "Identity";
    case Group::kKeys:
      return "Keys";
    case Group::kStorage:
      return "Storage";
    case Group::kServing:
      return "Serving";
    case Group::kIssuance:
      return "Issuance";
    case Group::kValidation:
      return "Validation";
    case Group::kPublication:
      return "Publication";
    case Group::kEvidence:
      return "Evidence";
    case Group::kAgents:
      return "Agents";
    case Group::kClient:
      return "Admin API";
    case Group::kLimits:
      break;
  }
  return "Limits";
}

const Option* FindOption(std::string_view name) {
  for (const Option& option : OptionTable())
    if (option.name == name) return &option;
  return nullptr;
}

}  // namespace agentca::cli
