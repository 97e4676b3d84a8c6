#include "acme/network_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace agentca::acme {
namespace {

Bytes Address(const std::string& text) {
  Bytes octets(16);
  if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), octets.data()), 1) << text;
  return octets;
}

std::vector<Cidr> Blocks(const std::vector<std::string>& texts) {
  std::vector<Cidr> blocks;
  for (const auto& text : texts) {
    auto block = Cidr::Parse(text);
    EXPECT_TRUE(block.ok()) << text;
    blocks.push_back(*block);
  }
  return blocks;
}

TEST(Cidr, ContainsExactlyItsBlock) {
  const auto block = *Cidr::Parse("10.32.0.0/11");
  EXPECT_TRUE(block.Contains(Address("10.32.0.0")));
  EXPECT_TRUE(block.Contains(Address("10.63.255.255")));
  EXPECT_FALSE(block.Contains(Address("10.64.0.0")));
  EXPECT_FALSE(block.Contains(Address("10.31.255.255")));
  EXPECT_TRUE(block.Contains(Address("::ffff:10.33.0.1")));
  EXPECT_FALSE(block.Contains(Address("2001:db8::1")));
  EXPECT_FALSE(block.Contains(Bytes{10, 32}));
}

TEST(Cidr, ReadsAnAddressAsABlockOfOne) {
  EXPECT_EQ(Cidr::Parse("192.0.2.1")->prefix, 32);
  EXPECT_EQ(Cidr::Parse("2001:db8::1")->prefix, 128);
}

TEST(Cidr, ReadsMappedBlocksAsIpv4) {
  EXPECT_TRUE(Cidr::Parse("::ffff:127.0.0.0/104")->Contains(Address("127.9.9.9")));
}

TEST(Cidr, RefusesWhatIsNoBlock) {
  for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                           "10.0.0/8", "10.0.0.1/8", "::1/129", "::1/64", "example.test/8"})
    EXPECT_FALSE(Cidr::Parse(text).ok()) << text;
}

TEST(NetworkPolicy, DeniesLocalAndMetadataAddressesInEveryDisguiseByDefault) {
  const NetworkPolicy policy({}, NetworkPolicy::DefaultDeny());
  for (const char* text : {"127.0.0.1",
                           "127.255.255.254",
                           "0.0.0.0",
                           "169.254.169.254",
                           "100.100.100.200",
                           "168.63.129.16",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "ff02::1",
                           "fd00:ec2::254",
                           "::ffff:127.0.0.1",
                           "::ffff:169.254.169.254",
                           "::127.0.0.1",
                           "::ffff:0:127.0.0.1",
                           "::ffff:0:169.254.169.254",
                           "2001:db8::5efe:127.0.0.1",
                           "2001:db8::200:5efe:169.254.169.254",
                           "64:ff9b::127.0.0.1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::127.0.0.1",
                           "64:ff9b:1:7f00:0:100::",
                           "2002:7f00:1::",
                           "2002:a9fe:a9fe::1",
                           "2001:0:102:304:0:0:80ff:fffe"}) {
    const auto verdict = policy.Check(Address(text));
    ASSERT_FALSE(verdict.ok()) << text;
    EXPECT_EQ(verdict.error().code, Code::kRejectedIdentifier);
    EXPECT_EQ(verdict.error().detail.find(text), std::string::npos);
  }
}

TEST(NetworkPolicy, PermitsOtherAddressesByDefault) {
  const NetworkPolicy policy({}, NetworkPolicy::DefaultDeny());
  for (const char* text : {"192.0.2.1", "10.0.0.1", "2001:db8::1", "fd12::1", "64:ff9b::192.0.2.1",
                           "2002:c000:201::", "::ffff:192.0.2.1", "::ffff:0:192.0.2.1",
                           "2001:db8::5efe:192.0.2.1", "2001:db8::5eff:127.0.0.1"})
    EXPECT_TRUE(policy.Check(Address(text)).ok()) << text;
}

TEST(NetworkPolicy, AllowWinsOverDeny) {
  const NetworkPolicy policy(Blocks({"127.0.0.1/32"}), NetworkPolicy::DefaultDeny());
  EXPECT_TRUE(policy.Check(Address("127.0.0.1")).ok());
  EXPECT_TRUE(policy.Check(Address("::ffff:127.0.0.1")).ok());
  EXPECT_TRUE(policy.Check(Address("64:ff9b::127.0.0.1")).ok());
  EXPECT_FALSE(policy.Check(Address("127.0.0.2")).ok());
  EXPECT_FALSE(policy.Check(Address("::1")).ok());
}

TEST(NetworkPolicy, AllowingATranslationPrefixAllowsNothingBehindIt) {
  const NetworkPolicy policy(Blocks({"64:ff9b::/96"}), NetworkPolicy::DefaultDeny());
  EXPECT_FALSE(policy.Check(Address("64:ff9b::127.0.0.1")).ok());
}

TEST(NetworkPolicy, RefusesWhatIsNoAddress) {
  EXPECT_FALSE(NetworkPolicy({}, {}).Check(Bytes{1, 2, 3}).ok());
}

}  // namespace
}  // namespace agentca::acme
