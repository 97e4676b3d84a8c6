// contrib/openapi/agentca-admin.yaml against the table of routes, both ways.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>

#include "acme/admin/routes.h"

namespace agentca::acme::admin {
namespace {

// "GET /agents/*/* auditor", one for every operation of the document. Read by its indentation: a
// path, below it a method, below that the role.
std::set<std::string> Documented() {
  std::ifstream in(AGENTCA_TEST_OPENAPI);
  EXPECT_TRUE(in) << AGENTCA_TEST_OPENAPI;
  const std::regex path_line("  (/[^:]*):"), method_line("    (get|put|post|delete):"),
      role_line("      x-least-role: (\\w+)"), variable("\\{[^}]*\\}");
  std::set<std::string> out;
  std::string path, method;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, match, path_line)) {
      path = std::regex_replace(match[1].str(), variable, "*");
    } else if (std::regex_match(line, match, method_line)) {
      method = match[1];
      for (char& c : method) c = static_cast<char>(std::toupper(c));
    } else if (std::regex_match(line, match, role_line)) {
      EXPECT_TRUE(out.insert(method + " " + path + " " + match[1].str()).second) << line;
    }
  }
  return out;
}

TEST(OpenApi, DocumentsEveryRouteWithItsRoleAndNoOther) {
  std::set<std::string> served;
  for (const Route& route : Routes())
    served.insert(std::string(route.method) + " " + std::string(route.path) + " " +
                  std::string(ToString(route.least)));
  EXPECT_EQ(Documented(), served);
}

}  // namespace
}  // namespace agentca::acme::admin
