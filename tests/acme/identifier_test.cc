#include "acme/identifier.h"

#include <gtest/gtest.h>

namespace agentca::acme {
namespace {

const std::vector<std::string> kEveryName;
const IdentifierRules kOpen{kEveryName, true, true};

Code CodeOf(std::string_view type, std::string_view value, const IdentifierRules& rules = kOpen) {
  const auto identifier = ParseIdentifier(type, value, rules);
  EXPECT_FALSE(identifier.ok()) << value;
  return identifier.ok() ? Code::kInternal : identifier.error().code;
}

TEST(Identifiers, TakeHostNamesInLowerCase) {
  for (const char* name : {"a.example.test", "*.example.test", "xn--bcher-kva.example.test",
                           "a-b.c-d.x", "1.2.3.4.x", "a.xn--p1ai"}) {
    const auto identifier = ParseIdentifier("dns", name, kOpen);
    ASSERT_TRUE(identifier.ok()) << name << ": " << identifier.error().detail;
    EXPECT_EQ(identifier->value, name);
  }
  EXPECT_EQ(ParseIdentifier("dns", "WWW.Example.TEST", kOpen)->value, "www.example.test");
}

TEST(Identifiers, RefuseWhatIsNotAHostName) {
  const std::string long_label(64, 'a');
  const std::string long_name = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                                std::string(63, 'c') + "." + std::string(63, 'd');
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..test"), std::string("a.test."),
        std::string("-a.test"), std::string("a-.test"), std::string("a_b.test"),
        std::string("a b.test"), std::string("a.test:80"),
        std::string("b\xc3\xbc"
                    "cher.test"),
        long_label + ".test", long_name, std::string("10.0.0.1"), std::string("::1"),
        std::string("1.2.3.4.5"), std::string("ab--cd.test"), std::string("a.test\0", 7)}) {
    EXPECT_EQ(CodeOf("dns", name), Code::kMalformed) << name;
  }
}

TEST(Identifiers, RefuseLabelsThatOnlyLookLikeALabels) {
  for (const char* name : {"xn--.test", "xn--a.test", "xn--99999999999.test", "xn--abc-.test",
                           "xn--a-ecp.ru.xn--zzzz-zzzzzzzz"}) {
    EXPECT_EQ(CodeOf("dns", name), Code::kMalformed) << name;
  }
}

TEST(Identifiers, TakeWildcardsOnlyAsTheWholeLeftmostLabel) {
  for (const char* name : {"*", "*.", "a.*.test", "*.*.test", "a*.test", "**.test"}) {
    EXPECT_EQ(CodeOf("dns", name), Code::kMalformed) << name;
  }
  EXPECT_EQ(CodeOf("dns", "*.a.test", {kEveryName, false, true}), Code::kRejectedIdentifier);
}

TEST(Identifiers, NeedTwoLabelsOrAPlaceOnTheList) {
  EXPECT_EQ(CodeOf("dns", "localhost"), Code::kRejectedIdentifier);
  EXPECT_EQ(CodeOf("dns", "*.localhost"), Code::kMalformed);
  const std::vector<std::string> names{"localhost", ".agents.test"};
  const IdentifierRules rules{names, true, true};
  EXPECT_TRUE(ParseIdentifier("dns", "localhost", rules).ok());
  EXPECT_TRUE(ParseIdentifier("dns", "x.agents.test", rules).ok());
  EXPECT_TRUE(ParseIdentifier("dns", "*.agents.test", rules).ok());
  EXPECT_EQ(CodeOf("dns", "xagents.test", rules), Code::kRejectedIdentifier);
  EXPECT_EQ(CodeOf("dns", "other.test", rules), Code::kRejectedIdentifier);
}

TEST(Identifiers, TakeAddressesInTheirOneTextForm) {
  for (const char* address : {"192.0.2.1", "2001:db8::1", "::1"}) {
    const auto identifier = ParseIdentifier("ip", address, kOpen);
    ASSERT_TRUE(identifier.ok()) << address;
    EXPECT_EQ(AddressText(AddressOctets(identifier->value)), address);
  }
  for (const char* text : {"2001:DB8::1", "2001:db8:0:0:0:0:0:1", "192.0.2.01", "fe80::1%eth0",
                           "a.test", "192.0.2.1/24", ""}) {
    EXPECT_EQ(CodeOf("ip", text), Code::kMalformed) << text;
  }
  EXPECT_EQ(CodeOf("ip", "192.0.2.1", {kEveryName, true, false}), Code::kRejectedIdentifier);
}

TEST(Identifiers, OfOtherTypesAreUnsupported) {
  EXPECT_EQ(CodeOf("email", "a@example.test"), Code::kUnsupportedIdentifier);
  EXPECT_EQ(CodeOf("DNS", "a.example.test"), Code::kUnsupportedIdentifier);
}

TEST(Identifiers, OfAnOrderAreMergedWhenRepeated) {
  const auto payload = JsonDocument::Parse(
      R"({"identifiers":[{"type":"dns","value":"b.test"},{"type":"dns","value":"a.test"},)"
      R"({"type":"dns","value":"B.test"}]})");
  const auto all = ParseIdentifiers(payload->root(), kOpen, 3);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].value, "b.test");
  EXPECT_EQ(ParseIdentifiers(payload->root(), kOpen, 2).error().code, Code::kMalformed);
}

TEST(Identifiers, SeveralFaultsAreCompoundOneIsItself) {
  const auto two = JsonDocument::Parse(
      R"({"identifiers":[{"type":"dns","value":"-"},{"type":"x","value":"y"}]})");
  const auto compound = ParseIdentifiers(two->root(), kOpen, 9);
  EXPECT_EQ(compound.error().code, Code::kCompound);
  ASSERT_EQ(compound.error().causes.size(), 2U);
  EXPECT_EQ(compound.error().causes[1].subject, "x:y");

  const auto one = JsonDocument::Parse(
      R"({"identifiers":[{"type":"dns","value":"a.test"},{"type":"x","value":"y"}]})");
  EXPECT_EQ(ParseIdentifiers(one->root(), kOpen, 9).error().code, Code::kUnsupportedIdentifier);
}

TEST(Identifiers, AreOfferedTheChallengesThatCanProveThem) {
  using enum ChallengeType;
  EXPECT_EQ(ChallengeTypesFor({Identifier::Type::kDns, "*.a.test"}), std::vector{kDns01});
  EXPECT_EQ(ChallengeTypesFor({Identifier::Type::kIp, "::1"}), (std::vector{kHttp01, kTlsAlpn01}));
  EXPECT_EQ(ChallengeTypesFor({Identifier::Type::kDns, "a.test"}).size(), 3U);
}

}  // namespace
}  // namespace agentca::acme
