#include "acme/cli/balancers.h"

#include <gtest/gtest.h>

namespace agentca::cli {
namespace {

Bytes V4(std::initializer_list<uint8_t> octets) { return octets; }

TEST(Balancers, AreOfAllListenersUnlessSaid) {
  const auto all = Balancers::Parse("192.0.2.0/28").value();
  const auto some = Balancers::Parse("198.51.100.1  acme,admin").value();
  for (const Role role : {Role::kAcme, Role::kOcsp, Role::kAdmin}) {
    const auto networks = Before(role, {all, some});
    EXPECT_TRUE(acme::AnyContains(networks, V4({192, 0, 2, 15})));
    EXPECT_FALSE(acme::AnyContains(networks, V4({192, 0, 2, 16})));
    EXPECT_EQ(acme::AnyContains(networks, V4({198, 51, 100, 1})), role != Role::kOcsp);
  }
}

TEST(Balancers, MayComeAsMappedAddresses) {
  const auto networks = Before(Role::kAcme, {Balancers::Parse("192.0.2.0/28 acme").value()});
  EXPECT_TRUE(
      acme::AnyContains(networks, V4({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1})));
}

TEST(Balancers, RefuseWhatIsNeitherNetworkNorRole) {
  for (const char* text : {"", "acme", "192.0.2.1/24", "192.0.2.1/33", "192.0.2.0/24 ",
                           "192.0.2.0/24 all", "192.0.2.0/24 acme admin", " 192.0.2.0/24",
                           "192.0.2.0/24,192.0.3.0/24", "lb.example.com"}) {
    const auto parsed = Balancers::Parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Code::kMalformed);
  }
}

}  // namespace
}  // namespace agentca::cli
