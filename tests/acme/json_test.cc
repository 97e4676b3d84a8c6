#include "acme/json.h"

#include <gtest/gtest.h>

namespace agentca::acme {
namespace {

Code CodeOf(std::string_view text, const JsonLimits& limits = {}) {
  const auto document = JsonDocument::Parse(text, limits);
  EXPECT_FALSE(document.ok()) << text;
  return document.ok() ? Code::kInternal : document.error().code;
}

TEST(Json, ReadsTypedMembers) {
  const auto document =
      JsonDocument::Parse(R"({"s":"a\u00e9\ud83d\ude00","i":-5,"b":true,"l":["x","y"],"n":null})");
  ASSERT_TRUE(document.ok());
  const JsonValue root = document->root();
  EXPECT_EQ(root.String("s").value(), "a\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(root.OptionalInt("i").value(), -5);
  EXPECT_EQ(root.OptionalBool("b").value(), true);
  EXPECT_EQ(root.OptionalStrings("l").value(), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(root.Find("n")->is_null());
  EXPECT_EQ(root.members().size(), 5U);
  EXPECT_FALSE(root.OptionalString("absent").value().has_value());
}

TEST(Json, WrongTypesAreErrorsThatNameTheMember) {
  const auto document = JsonDocument::Parse(R"({"s":1,"i":1.0,"b":"x","l":[1]})");
  ASSERT_TRUE(document.ok());
  const JsonValue root = document->root();
  EXPECT_EQ(root.String("s").error().code, Code::kMalformed);
  EXPECT_NE(root.String("s").error().detail.find("\"s\""), std::string::npos);
  EXPECT_FALSE(root.OptionalInt("i").ok());
  EXPECT_FALSE(root.OptionalBool("b").ok());
  EXPECT_FALSE(root.OptionalStrings("l").ok());
  EXPECT_FALSE(root.OptionalStrings("s").ok());
  EXPECT_FALSE(root.String("absent").ok());
}

TEST(Json, AccessorsOfAnotherTypeAreEmptyAndDoNotAbort) {
  const auto document = JsonDocument::Parse("[1]");
  ASSERT_TRUE(document.ok());
  const JsonValue root = document->root();
  EXPECT_FALSE(root.Find("x").has_value());
  EXPECT_TRUE(root.members().empty());
  EXPECT_FALSE(root.AsString().has_value());
  EXPECT_TRUE(root.elements()[0].elements().empty());
}

TEST(Json, DeepTextIsRefusedAndDoesNotUseUpTheStack) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(CodeOf(deep, {.max_size = 1 << 20, .max_depth = 16}), Code::kMalformed);
  EXPECT_EQ(CodeOf(std::string(17, '[') + std::string(17, ']')), Code::kMalformed);
  EXPECT_TRUE(JsonDocument::Parse(std::string(16, '[') + std::string(16, ']')).ok());
  EXPECT_TRUE(JsonDocument::Parse("[[],[],{},[{}],[]]", {.max_size = 99, .max_depth = 3}).ok());
}

TEST(Json, OversizedTextIsRefused) {
  EXPECT_EQ(CodeOf("[1,2,3]", {.max_size = 6, .max_depth = 2}), Code::kPayloadTooLarge);
}

TEST(Json, DuplicateNamesAreRefusedAtEveryLevel) {
  EXPECT_EQ(CodeOf(R"({"a":1,"a":2})"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"([{"x":{"a":1,"b":2,"\u0061":3}}])"), Code::kMalformed);
  EXPECT_TRUE(JsonDocument::Parse(R"([{"a":1},{"a":2}])").ok());
}

TEST(Json, TextThatIsNotUtf8IsRefused) {
  EXPECT_EQ(CodeOf("\"\xff\""), Code::kMalformed);
  EXPECT_EQ(CodeOf("\"\xc0\xaf\""), Code::kMalformed);
  EXPECT_EQ(CodeOf("\"\xed\xa0\x80\""), Code::kMalformed);
}

TEST(Json, LoneSurrogatesAndNulAreRefusedAlsoAsEscapes) {
  EXPECT_EQ(CodeOf(R"("\udc00")"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"("\ud800")"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"("a\u0000b")"), Code::kMalformed);
  EXPECT_EQ(CodeOf(R"({"a\u0000":1})"), Code::kMalformed);
  EXPECT_EQ(CodeOf(std::string_view("{}\0{", 4)), Code::kMalformed);
}

TEST(Json, TrailingTextAndOtherMalformedTextIsRefused) {
  for (const char* text : {"", " ", "{} {}", "{}x", "{\"a\":}", "[1,]", "nul", "'a'", "01", "{1:2}",
                           "\"\t\"", "1e999"}) {
    EXPECT_EQ(CodeOf(text), Code::kMalformed) << text;
  }
}

TEST(Json, WriterEscapesAndRoundTrips) {
  const std::string nasty = "a\"\\\n\x01/\xc3\xa9";
  JsonWriter json;
  json.BeginObject().Member("t", nasty).Key("l").BeginArray().Int(-1).Bool(false).EndArray();
  json.Key("r").Raw("{\"x\":1}").EndObject();
  const auto document = JsonDocument::Parse(std::move(json).Take());
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->root().String("t").value(), nasty);
  EXPECT_EQ(document->root().Find("l")->elements()[0].AsInt(), -1);
  EXPECT_EQ(document->root().Find("r")->OptionalInt("x").value(), 1);
}

TEST(Json, WriterNeverWritesInvalidUtf8) {
  for (const std::string_view bad : {"\xff\xfe", "a\xc3", "\xed\xa0\x80"}) {
    JsonWriter json;
    json.String(bad);
    EXPECT_TRUE(JsonDocument::Parse(std::move(json).Take()).ok());
  }
}

}  // namespace
}  // namespace agentca::acme
