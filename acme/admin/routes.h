// The one table of the admin API: it is the authorisation policy, and the OpenAPI document is held
// against it.
#pragma once

#include <span>
#include <string_view>

#include "acme/admin/context.h"

namespace agentca::acme::admin {

using Handler = Result<http::Response> (*)(Context&, const Call&);

struct Route {
  std::string_view method;
  std::string_view path;  // below /admin/v1; "*" stands for one segment
  Role least;             // a caller of a lesser role is refused before anything is read
  Handler handle;
};

inline constexpr std::string_view kBasePath = "/admin/v1";
std::span<const Route> Routes();

// Finds the route of `path` and `method` ("HEAD" is GET); fills `ids`. kNotFound, or
// kMethodNotAllowed with the methods that there are as its subject: "GET, POST".
Result<const Route*> FindRoute(std::string_view method, std::string_view path,
                               std::vector<std::string>& ids);

}  // namespace agentca::acme::admin
