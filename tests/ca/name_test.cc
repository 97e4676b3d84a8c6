#include "ca/name.h"

#include <gtest/gtest.h>

#include "ca/dns_name.h"

namespace agentca::ca {
namespace {

bool Encodes(Attribute attribute, const std::string& value) {
  return EncodeName({{attribute, value}}).ok();
}

std::string Repeat(std::string_view part, size_t times) {
  std::string out;
  while (times-- > 0) out += part;
  return out;
}

TEST(Name, WritesOneAttributePerRdnInOrder) {
  const Bytes der =
      EncodeName({{Attribute::kCountry, "DE"}, {Attribute::kCommonName, "é"}}).value();
  EXPECT_EQ(ToHex(der),
            "301a"
            "310b3009060355040613024445"
            "310b300906035504030c02c3a9");
  EXPECT_EQ(ToHex(EncodeName({}).value()), "3000");
}

TEST(Name, CountsCharactersNotOctets) {
  EXPECT_TRUE(Encodes(Attribute::kCommonName, Repeat("é", 64)));
  EXPECT_FALSE(Encodes(Attribute::kCommonName, Repeat("é", 65)));
  EXPECT_TRUE(Encodes(Attribute::kOrganization, Repeat("😀", 64)));
  EXPECT_FALSE(Encodes(Attribute::kOrganizationalUnit, ""));
}

TEST(Name, RefusesInvalidUtf8AndControls) {
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf0\x80\x80\x80", "\xc3", "a\nb", "\x7f", "\xc2\x85", "\xff"})
    EXPECT_FALSE(Encodes(Attribute::kCommonName, bad)) << ToHex(AsBytes(bad));
  EXPECT_FALSE(Encodes(Attribute::kCommonName, std::string("a\0b", 3)));
}

TEST(Name, HoldsCountryAndSerialNumberToPrintableString) {
  EXPECT_TRUE(Encodes(Attribute::kCountry, "DE"));
  for (const char* bad : {"de", "D", "DEU", "D1"}) EXPECT_FALSE(Encodes(Attribute::kCountry, bad));
  EXPECT_TRUE(Encodes(Attribute::kSerialNumber, "AB-12/3"));
  EXPECT_FALSE(Encodes(Attribute::kSerialNumber, "AB_12"));
  EXPECT_FALSE(Encodes(Attribute::kSerialNumber, "é"));
}

TEST(Name, ReadsAttributeNames) {
  EXPECT_EQ(AttributeFromString("OU"), Attribute::kOrganizationalUnit);
  EXPECT_FALSE(AttributeFromString("ou").has_value());
}

TEST(DnsName, AcceptsHostNames) {
  for (const char* good : {"a", "localhost", "a.example.test", "1.example.test", "a-b.c--d.test",
                           "xn--bcher-kva.test", "xn--p1ai", "xn--n3h.test", "xn--ls8h.la"})
    EXPECT_TRUE(CheckDnsName(good, false).ok()) << good;
  EXPECT_TRUE(CheckDnsName(Repeat("a", 63) + ".test", false).ok());
  EXPECT_TRUE(CheckDnsName(Repeat("abcdefghi.", 25) + "abc", false).ok());
}

TEST(DnsName, RefusesWhatIsNoHostName) {
  for (const char* bad : {"",
                          ".",
                          "a.",
                          ".a",
                          "a..b",
                          "A.test",
                          "a_b.test",
                          "-a.test",
                          "a-.test",
                          "a b.test",
                          "b\xc3\xbc"
                          "cher.test",
                          "a.test\n",
                          "10.0.0.1",
                          "a.1",
                          "::1",
                          "ab--cd.test",
                          "xn--.test",
                          "xn--a-.test",
                          "xn---.test",
                          "xn--0.test",
                          "xn--99999999.test",
                          "*",
                          "*.",
                          "*.test",
                          "*.a.test",
                          "a.*.test"})
    EXPECT_FALSE(CheckDnsName(bad, false).ok()) << bad;
  EXPECT_FALSE(CheckDnsName(Repeat("a", 64) + ".test", false).ok());
  EXPECT_FALSE(CheckDnsName(Repeat("abcdefghi.", 25) + "abcd", false).ok());
  EXPECT_FALSE(CheckDnsName(std::string_view("a\0.test", 7), false).ok());
}

TEST(DnsName, AllowsAWildcardInFrontOnlyWhenAsked) {
  EXPECT_TRUE(CheckDnsName("*.a.test", true).ok());
  EXPECT_EQ(CheckDnsName("*.a.test", false).error().code, Code::kRejectedIdentifier);
  for (const char* bad : {"*", "*.", "*.test", "*.*.a.test", "a*.b.test", "**.a.test", "*a.b.test"})
    EXPECT_FALSE(CheckDnsName(bad, true).ok()) << bad;
}

}  // namespace
}  // namespace agentca::ca
