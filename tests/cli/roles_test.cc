#include "acme/cli/roles.h"

#include <gtest/gtest.h>

namespace agentca::cli {
namespace {

using Strings = std::vector<std::string>;

std::string Fault(std::string_view text) {
  const auto roles = Roles::Parse(text);
  if (roles.ok()) return "none";
  EXPECT_EQ(roles.error().code, Code::kMalformed);
  return roles.error().detail;
}

TEST(Roles, AreAllUnlessSaid) {
  const Roles all;
  for (const Role role : {Role::kAcme, Role::kOcsp, Role::kAdmin}) EXPECT_TRUE(all.Has(role));
  EXPECT_EQ(all.ToString(), "acme,ocsp,admin");
  EXPECT_EQ(Roles::Parse("admin,acme,ocsp").value(), all);
}

TEST(Roles, AreReadInAnyOrder) {
  const Roles roles = Roles::Parse("ocsp,acme").value();
  EXPECT_TRUE(roles.Has(Role::kAcme));
  EXPECT_TRUE(roles.Has(Role::kOcsp));
  EXPECT_FALSE(roles.Has(Role::kAdmin));
  EXPECT_EQ(roles.ToString(), "acme,ocsp");
}

TEST(Roles, NeedNoMoreKeysThanTheirWork) {
  EXPECT_EQ(Roles::Parse("ocsp").value().Keys(), Strings{"ocsp"});
  EXPECT_EQ(Roles::Parse("acme").value().Keys(), (Strings{"root", "issuing"}));
  EXPECT_EQ(Roles::Parse("admin").value().Keys(), (Strings{"root", "issuing"}));
  EXPECT_EQ(Roles().Keys(), (Strings{"root", "issuing", "ocsp"}));
}

TEST(Roles, RefuseWhatIsUnknownMissingOrThereTwice) {
  EXPECT_EQ(Fault("ca"), "'ca' is not a role: acme, ocsp or admin");
  EXPECT_EQ(Fault("acme,acme"), "'acme' is there twice");
  for (const char* text : {"", ",", "acme,", ",acme", "acme,,ocsp"})
    EXPECT_EQ(Fault(text), "a role is missing; they are acme, ocsp and admin") << text;
  for (const char* text : {"all", "*", "ACME", " acme", "acme ", "acme, ocsp", "acme;ocsp", "acm"})
    EXPECT_NE(Fault(text).find("is not a role"), std::string::npos) << text;
}

}  // namespace
}  // namespace agentca::cli
