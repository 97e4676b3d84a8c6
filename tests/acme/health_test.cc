#include "acme/health.h"

#include <gtest/gtest.h>

namespace agentca::acme {
namespace {

http::Request Make(std::string method, std::string path) {
  http::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

class HealthTest : public testing::Test {
 protected:
  Status ready_;
  int asked_ = 0;
  const Health health_{[this] {
    ++asked_;
    return ready_;
  }};
};

TEST_F(HealthTest, AliveIsAnsweredWithoutAsking) {
  ready_ = Error{Code::kUnavailable, "store"};
  for (const char* method : {"GET", "HEAD"}) {
    const auto response = health_.HandleFast(Make(method, "/healthz"));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "ok\n");
  }
  EXPECT_EQ(asked_, 0);
}

TEST_F(HealthTest, ReadyIsAskedEachTimeAndNeverOnTheFastPath) {
  EXPECT_FALSE(health_.HandleFast(Make("GET", "/readyz")));
  EXPECT_EQ(health_.Handle(Make("GET", "/readyz"))->status, 200);
  ready_ = Error{Code::kUnavailable, "store"};
  const auto response = health_.Handle(Make("GET", "/readyz"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "store\n");
  EXPECT_EQ(asked_, 2);
}

TEST_F(HealthTest, KnowsItsTwoPathsAndNothingNearThem) {
  for (const char* path :
       {"/", "/healthz/", "/healthz/x", "/HEALTHZ", "//readyz", "/readyz?", "/acme/readyz", ""}) {
    EXPECT_FALSE(Health::Knows(path)) << path;
    EXPECT_FALSE(health_.Handle(Make("GET", path))) << path;
    EXPECT_FALSE(health_.HandleFast(Make("GET", path))) << path;
  }
}

TEST_F(HealthTest, IsReadAndNotWritten) {
  for (const char* method : {"POST", "PUT", "DELETE", "get", ""})
    for (const char* path : {"/healthz", "/readyz"}) {
      const auto response = health_.HandleFast(Make(method, path));
      ASSERT_TRUE(response) << method;
      EXPECT_EQ(response->status, 405) << method;
    }
  EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace agentca::acme
