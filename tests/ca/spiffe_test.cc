#include "ca/spiffe.h"

#include <gtest/gtest.h>

namespace agentca::ca {
namespace {

TEST(SpiffeId, AcceptsWhatTheSpecificationAllows) {
  for (const char* good :
       {"spiffe://example.test/t/acme/a/planner", "spiffe://a/b", "spiffe://1.2.3.4/x",
        "spiffe://a_b-c.test/Path/with.dots_and-signs/..."})
    EXPECT_TRUE(CheckSpiffeId(good).ok()) << good << ": " << CheckSpiffeId(good).error().detail;
  const std::string long_id = "spiffe://a/" + std::string(2048 - 11, 'x');
  EXPECT_TRUE(CheckSpiffeId(long_id).ok());
  EXPECT_FALSE(CheckSpiffeId(long_id + "x").ok());
  EXPECT_TRUE(CheckSpiffeId("spiffe://" + std::string(255, 'a') + "/x").ok());
  EXPECT_FALSE(CheckSpiffeId("spiffe://" + std::string(256, 'a') + "/x").ok());
}

// SPIFFE-ID §2: no user information, port, query or fragment; no empty or relative segments; no
// percent-encoding.
TEST(SpiffeId, RefusesWhatItForbids) {
  for (const char* bad : {"",
                          "spiffe",
                          "spiffe:",
                          "spiffe://",
                          "spiffe:///x",
                          "spiffe://a",
                          "spiffe://a/",
                          "spiffe://a/b/",
                          "spiffe://a//b",
                          "spiffe://a/./b",
                          "spiffe://a/b/..",
                          "SPIFFE://a/b",
                          "http://a/b",
                          "spiffe://A/b",
                          "spiffe://u@a/b",
                          "spiffe://a:8443/b",
                          "spiffe://a/b?c",
                          "spiffe://a/b#c",
                          "spiffe://a/%62",
                          "spiffe://a/b c",
                          "spiffe://a/\xc3\xa4",
                          "spiffe://?/b"})
    EXPECT_EQ(CheckSpiffeId(bad).error().code, Code::kMalformed) << bad;
}

}  // namespace
}  // namespace agentca::ca
