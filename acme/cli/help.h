// What the operator reads: help on the terminal and the commented agentca.conf, from the one table.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "acme/cli/options.h"

namespace agentca::cli {

std::string Overview();                // `agentca help`
std::string HelpFor(Command command);  // `agentca COMMAND --help`

// agentca.conf with every key explained; keys in `values` are set, the others commented out.
using ConfValues = std::map<std::string, std::vector<std::string>, std::less<>>;
std::string ConfText(const ConfValues& values);

}  // namespace agentca::cli
