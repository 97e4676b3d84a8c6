#include "acme/challenge/url.h"

#include <gtest/gtest.h>

namespace agentca::acme {
namespace {

const Url kBase{false, "a.test", false, 5002, "/.well-known/acme-challenge/token?x=1"};

std::string Resolved(std::string_view location) {
  const auto url = ResolveRedirect(kBase, location);
  return url.ok() ? url->Text() : "";
}

TEST(RedirectTarget, ResolvesTheFormsOfRfc3986) {
  EXPECT_EQ(Resolved("http://b.test/x?y"), "http://b.test/x?y");
  EXPECT_EQ(Resolved("HTTPS://B.Test"), "https://b.test/");
  EXPECT_EQ(Resolved("https://b.test:443/x#f"), "https://b.test/x");
  EXPECT_EQ(Resolved("http://b.test?q"), "http://b.test/?q");
  EXPECT_EQ(Resolved("//b.test:5002/x"), "http://b.test:5002/x");
  EXPECT_EQ(Resolved("/x"), "http://a.test:5002/x");
  EXPECT_EQ(Resolved("x"), "http://a.test:5002/.well-known/acme-challenge/x");
  EXPECT_EQ(Resolved("?q"), "http://a.test:5002/.well-known/acme-challenge/token?q");
  EXPECT_EQ(Resolved("http://[2001:db8::1]:80/"), "http://[2001:db8::1]/");
}

TEST(RedirectTarget, RefusesWhatValidationDoesNotFollow) {
  for (const std::string location :
       {"", "ftp://b.test/", "javascript:alert(1)", "http:b.test", "http://", "http:///x",
        "http://user@b.test/", "http://b.test:0/", "http://b.test:65536/", "http://b.test:x/",
        "http://b..test/", "http://b.test./", "http://b test/", "http://b.test/\r\nX: y",
        "http://b\xc3\xa4.test/", "http://[::1/", "http://[zz]/", "http://b.test%2f/"})
    EXPECT_EQ(Resolved(location), "") << location;
  EXPECT_EQ(Resolved("http://b.test/" + std::string(3000, 'x')), "");
}

TEST(RedirectTarget, KnowsEveryWayToWriteAnAddress) {
  for (const char* location : {"http://127.0.0.1/", "http://127.1/", "http://2130706433/",
                               "http://0x7f.0x1/", "http://017700000001/", "http://[::1]/"}) {
    const auto url = ResolveRedirect(kBase, location);
    ASSERT_TRUE(url.ok()) << location;
    EXPECT_TRUE(url->literal) << location;
  }
}

TEST(Url, IsReadWhenItIsAbsolute) {
  const auto url = ParseUrl("HTTPS://Issuer.Test:8443/keys?v=1#part");
  ASSERT_TRUE(url.ok()) << url.error().detail;
  EXPECT_EQ(url->Text(), "https://issuer.test:8443/keys?v=1");
  EXPECT_EQ(ParseUrl("https://issuer.test")->target, "/");
  for (const char* text : {"", "/keys", "issuer.test/keys", "//issuer.test/keys", "ftp://a.test/",
                           "https:keys", "https://", "https://u@a.test/", "https://a b.test/"}) {
    const auto bad = ParseUrl(text);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_EQ(bad.error().code, Code::kMalformed) << text;
  }
}

}  // namespace
}  // namespace agentca::acme
