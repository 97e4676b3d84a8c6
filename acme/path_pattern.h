// The paths of route tables, of the ACME server and of the admin API.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentca::acme {

// `pattern`: "/acme/order/*", in which "*" stands for one segment that is not empty. The variable
// parts of `path` in order; nullopt when it is not of the pattern. Nothing is decoded.
std::optional<std::vector<std::string>> MatchPath(std::string_view pattern, std::string_view path);

}  // namespace agentca::acme
