#include "acme/attest/cbor.h"

#include <gtest/gtest.h>

namespace agentca::acme::attest {
namespace {

Bytes Hex(std::string_view text) { return FromHex(text).value(); }

Result<CborDocument> Parse(std::string_view hex, const CborLimits& limits = {}) {
  return CborDocument::Parse(Hex(hex), limits);
}

std::string Refusal(std::string_view hex, const CborLimits& limits = {}) {
  const auto document = Parse(hex, limits);
  if (document.ok()) return "accepted";
  EXPECT_EQ(document.error().code, Code::kMalformed);
  return document.error().detail;
}

// RFC 8949 appendix A.
TEST(Cbor, ReadsIntegersOfTheRfc) {
  const std::pair<const char*, int64_t> kExamples[] = {
      {"00", 0},
      {"17", 23},
      {"1818", 24},
      {"1903e8", 1000},
      {"1a000f4240", 1000000},
      {"1b000000e8d4a51000", 1000000000000},
      {"20", -1},
      {"3863", -100},
      {"3903e7", -1000},
  };
  for (const auto& [hex, value] : kExamples) {
    const auto document = Parse(hex);
    ASSERT_TRUE(document.ok()) << hex;
    EXPECT_EQ(document->root().AsInt(), value) << hex;
    EXPECT_EQ(document->root().AsIntText(), std::to_string(value)) << hex;
  }
}

TEST(Cbor, IntegersBeyond64BitsWithSignAreOnlyText) {
  const auto largest = Parse("1bffffffffffffffff");
  EXPECT_EQ(largest->root().AsInt(), std::nullopt);
  EXPECT_EQ(largest->root().AsIntText(), "18446744073709551615");
  const auto smallest = Parse("3bffffffffffffffff");
  EXPECT_EQ(smallest->root().AsInt(), std::nullopt);
  EXPECT_EQ(smallest->root().AsIntText(), "-18446744073709551616");
  EXPECT_EQ(Parse("3b7fffffffffffffff")->root().AsInt(), INT64_MIN);
  EXPECT_EQ(Parse("1b7fffffffffffffff")->root().AsInt(), INT64_MAX);
}

TEST(Cbor, ReadsFloatsSimpleValuesAndStringsOfTheRfc) {
  EXPECT_EQ(Parse("f93e00")->root().AsNumber(), 1.5);
  EXPECT_EQ(Parse("fa47c35000")->root().AsNumber(), 100000.0);
  EXPECT_EQ(Parse("fb3ff199999999999a")->root().AsNumber(), 1.1);
  EXPECT_EQ(Parse("f4")->root().AsBool(), false);
  EXPECT_EQ(Parse("f5")->root().AsBool(), true);
  EXPECT_EQ(Parse("f6")->root().type(), CborType::kNull);
  EXPECT_EQ(Parse("f7")->root().type(), CborType::kUndefined);
  EXPECT_EQ(Parse("62c3bc")->root().AsText(), "ü");
  const auto bytes = Parse("4401020304");
  ASSERT_TRUE(bytes->root().AsBytes());
  EXPECT_EQ(ToHex(*bytes->root().AsBytes()), "01020304");
}

TEST(Cbor, ReadsItemsOfUnknownLength) {
  const auto bytes = Parse("5f42010243030405ff");
  EXPECT_EQ(ToHex(*bytes->root().AsBytes()), "0102030405");
  EXPECT_EQ(Parse("7f657374726561646d696e67ff")->root().AsText(), "streaming");
  EXPECT_TRUE(Parse("9fff")->root().elements().empty());
  const auto nested = Parse("9f018202039f0405ffff");
  ASSERT_EQ(nested->root().elements().size(), 3u);
  EXPECT_EQ(nested->root().elements()[2].elements()[1].AsInt(), 5);
  const auto map = Parse("bf6346756ef563416d7421ff");
  EXPECT_EQ(map->root().Find("Fun")->AsBool(), true);
  EXPECT_EQ(map->root().Find("Amt")->AsInt(), -2);
}

// libcbor 0.8 takes the one-octet heads of tags 6 to 20 for errors.
TEST(Cbor, ReadsEveryTag) {
  for (unsigned tag = 0; tag < 24; ++tag) {
    const auto document = CborDocument::Parse(Bytes{static_cast<uint8_t>(0xC0 + tag), 0x01});
    ASSERT_TRUE(document.ok()) << tag;
    ASSERT_TRUE(document->root().AsTagged()) << tag;
    EXPECT_EQ(document->root().AsTagged()->first, tag);
    EXPECT_EQ(document->root().AsTagged()->second.AsInt(), 1);
  }
  EXPECT_EQ(Parse("d83d01")->root().AsTagged()->first, 61u);
  EXPECT_EQ(Parse("d9d9f701")->root().AsTagged()->first, 55799u);
  EXPECT_EQ(Parse("dbffffffffffffffff01")->root().AsTagged()->first, UINT64_MAX);
}

TEST(Cbor, AccessorsOfAnotherTypeAreEmpty) {
  const auto document = Parse("a1016161");
  const CborValue map = document->root();
  EXPECT_FALSE(map.AsInt() || map.AsText() || map.AsBytes() || map.AsBool() || map.AsNumber());
  EXPECT_FALSE(map.AsTagged() || map.AsIntText() || map.Find(2) || map.Find("a"));
  EXPECT_TRUE(map.elements().empty());
  EXPECT_TRUE(map.Find(1)->members().empty());
  EXPECT_FALSE(map.Find(1)->Find(1));
}

TEST(Cbor, RefusesWhatIsCutOff) {
  for (const char* hex : {"", "18", "1bffffff", "42ff", "6261", "81", "8201", "a1", "a101", "c1",
                          "d8", "9f", "9f01", "bf01", "5f41", "5f4101", "f9", "fb00"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, RefusesOctetsAfterTheItem) {
  EXPECT_EQ(Refusal("0000"), "CBOR: octets follow the item (octet 1)");
  EXPECT_NE(Refusal("80ff"), "accepted");
}

TEST(Cbor, RefusesLengthsThatAreNotThere) {
  for (const char* hex :
       {"5bffffffffffffffff", "7bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff",
        "bb8000000000000000", "9a7fffffff00", "ba7fffffff00", "5bfffffffffffffff700", "830102"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, RefusesDepthBeyondTheLimit) {
  for (const char* opening : {"81", "9f", "a101", "bf01", "c1", "d83d"}) {
    std::string hex;
    for (int i = 0; i < 20'000; ++i) hex += opening;
    EXPECT_NE(Refusal(hex).find("nested too deeply"), std::string::npos) << opening;
  }
  EXPECT_EQ(Refusal("818100", {.max_depth = 2}), "accepted");
  EXPECT_NE(Refusal("81818100", {.max_depth = 2}), "accepted");
}

TEST(Cbor, RefusesSizeAndItemsBeyondTheLimits) {
  EXPECT_EQ(Refusal("8101", {.max_size = 1}), "CBOR: it is too large");
  EXPECT_NE(Refusal("83010203", {.max_items = 3}).find("too many items"), std::string::npos);
  EXPECT_EQ(Refusal("83010203", {.max_items = 4}), "accepted");
}

TEST(Cbor, RefusesAKeyTwiceInWhateverForm) {
  EXPECT_NE(Refusal("a201000100").find("a key twice"), std::string::npos);
  EXPECT_NE(Refusal("a20100180100").find("a key twice"), std::string::npos);
  EXPECT_NE(Refusal("a2616100616101").find("a key twice"), std::string::npos);
  EXPECT_NE(Refusal("a26161007f6161ff01").find("a key twice"), std::string::npos);
  EXPECT_NE(Refusal("81bf01000100ff").find("a key twice"), std::string::npos);
  EXPECT_EQ(Refusal("a201002000"), "accepted");    // 1 and -1
  EXPECT_EQ(Refusal("a20100613100"), "accepted");  // 1 and "1"
}

TEST(Cbor, RefusesOddKeysAndOddMaps) {
  for (const char* hex : {"a1410100", "a18000", "a1f500", "a1f93e0000", "a1c10100", "bf01ff"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, RefusesTextThatIsNotUtf8) {
  EXPECT_NE(Refusal("61ff").find("UTF-8"), std::string::npos);
  EXPECT_NE(Refusal("62c328").find("UTF-8"), std::string::npos);
  EXPECT_NE(Refusal("7f61c361bcff").find("UTF-8"), std::string::npos);  // in every piece
  EXPECT_NE(Refusal("63eda080").find("UTF-8"), std::string::npos);      // surrogate
}

TEST(Cbor, RefusesWhatBeginsNoItem) {
  for (const char* hex : {"1c", "1f", "3c", "3f", "5c", "7c", "9c", "bc", "dc", "df", "e0", "f3",
                          "f800", "f8ff", "fc", "ff"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, RefusesStringsOfOtherPieces) {
  for (const char* hex :
       {"5f01ff", "5f6161ff", "7f4161ff", "5f5fffff", "5f80ff", "5fc14101ff", "5fa0ff"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, RefusesBreaksThatEndNothing) {
  for (const char* hex : {"81ff", "a1ff", "a101ff", "c1ff", "82ff01"}) {
    EXPECT_NE(Refusal(hex), "accepted") << hex;
  }
}

TEST(Cbor, WritesWhatItReads) {
  CborWriter writer;
  writer.Array(4)
      .Int(-500)
      .Text("Signature1")
      .Octets(Bytes(300, 7))
      .Tag(61)
      .Map(1)
      .Int(1)
      .Octets({});
  const Bytes octets = std::move(writer).Take();
  const auto document = CborDocument::Parse(octets);
  ASSERT_TRUE(document.ok());
  const auto parts = document->root().elements();
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].AsInt(), -500);
  EXPECT_EQ(parts[1].AsText(), "Signature1");
  EXPECT_EQ(parts[2].AsBytes()->size(), 300u);
  EXPECT_EQ(parts[3].AsTagged()->second.Find(1)->AsBytes()->size(), 0u);
}

}  // namespace
}  // namespace agentca::acme::attest
