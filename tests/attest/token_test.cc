// What the formats made of signed JSON share: claims with one name each, dates, audiences.
#include "acme/attest/token.h"

#include <gtest/gtest.h>

namespace agentca::acme::attest {
namespace {

Result<ca::Claims> FlattenText(std::string_view json) {
  const auto document = JsonDocument::Parse(json);
  EXPECT_TRUE(document.ok()) << json;
  return Flatten(document->root());
}

TEST(Flatten, JoinsNamesAndKeepsEveryScalar) {
  const auto claims = FlattenText(
      R"({"a":{"b":{"c":"x"},"n":1},"list":["p","q",7,true,null,["no"],{"no":1}],"none":null,)"
      R"("empty":[],"big":18446744073709551615,"half":0.5,"no":false,"text":"ü"})");
  ASSERT_TRUE(claims.ok()) << claims.error().detail;
  const ca::Claims expected{{"a/b/c", {"x"}},
                            {"a/n", {"1"}},
                            {"big", {"18446744073709551615"}},
                            {"half", {"0.5"}},
                            {"list", {"p", "q", "7", "true"}},
                            {"no", {"false"}},
                            {"text", {"ü"}}};
  EXPECT_EQ(*claims, expected);
}

TEST(Flatten, RefusesTwoClaimsOfOneName) {
  for (const char* text :
       {R"({"a/b":1,"a":{"b":2}})", R"({"a":{"b":2},"a/b":1})", R"({"a":{"b/c":1,"b":{"c":2}}})"}) {
    const auto claims = FlattenText(text);
    ASSERT_FALSE(claims.ok()) << text;
    EXPECT_EQ(claims.error().code, Code::kMalformed);
  }
}

TEST(Flatten, HasLimits) {
  const auto named = [](size_t size) { return "{\"" + std::string(size, 'a') + "\":1}"; };
  EXPECT_TRUE(FlattenText(named(256)).ok());
  EXPECT_FALSE(FlattenText(named(257)).ok());
  EXPECT_FALSE(FlattenText(R"({"a":)" + named(255) + "}").ok());
  const auto valued = [](size_t count) {
    std::string list = "1";
    for (size_t i = 1; i < count; ++i) list += ",1";
    return R"({"a":[)" + list + "]}";
  };
  EXPECT_TRUE(FlattenText(valued(1024)).ok());
  EXPECT_FALSE(FlattenText(valued(1025)).ok());
}

TEST(CheckTimes, AllowsClocksToDifferByAMinute) {
  const Time now{Seconds{1000}};
  const auto outcome = [&](std::string_view claims) {
    const auto status = CheckTimes(JsonDocument::Parse(claims).value().root(), now);
    return status.ok() ? "good" : std::string(CauseOf(status.error()));
  };
  EXPECT_EQ(outcome(R"({"exp":941})"), "good");
  EXPECT_EQ(outcome(R"({"exp":940})"), "expired");
  EXPECT_EQ(outcome(R"({"exp":940.9})"), "expired");
  EXPECT_EQ(outcome(R"({"exp":2000,"nbf":1060,"iat":1060})"), "good");
  EXPECT_EQ(outcome(R"({"exp":2000,"nbf":1061})"), "not yet valid");
  EXPECT_EQ(outcome(R"({"exp":2000,"iat":1061})"), "not yet valid");
  for (const char* malformed : {"{}", R"({"exp":null})", R"({"exp":"2000"})", R"({"exp":-1})",
                                R"({"exp":1e30})", R"({"exp":[2000]})", R"({"exp":2000,"nbf":"x"})",
                                R"({"exp":2000,"iat":{}})", R"({"exp":9223372036854775807})"}) {
    EXPECT_EQ(outcome(malformed), "") << malformed;
  }
}

TEST(ReplayId, TellsIssuersApartAndIsShort) {
  const auto id = [](std::string_view source, std::string_view claims) {
    return ReplayIdOf(source, JsonDocument::Parse(claims).value().root()).value();
  };
  EXPECT_EQ(id("a", "{}"), "");
  EXPECT_EQ(id("a", R"({"jti":""})"), "");
  EXPECT_EQ(id("a", R"({"jti":"1"})"), id("a", R"({"jti":"1"})"));
  EXPECT_NE(id("a", R"({"jti":"1"})"), id("b", R"({"jti":"1"})"));
  EXPECT_NE(id("a1", R"({"jti":"1"})"), id("a", R"({"jti":"11"})"));
  EXPECT_EQ(id("a", R"({"jti":")" + std::string(5000, 'x') + R"("})").size(), 47u);
}

TEST(Quoted, IsPrintableAndShort) {
  EXPECT_EQ(Quoted("a\nb\x1b[1m\xc3\xbc"), "\"a?b?[1m??\"");
  EXPECT_EQ(Quoted(std::string(200, 'x')), "\"" + std::string(128, 'x') + "…\"");
}

}  // namespace
}  // namespace agentca::acme::attest
