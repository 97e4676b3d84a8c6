#include <set>

#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::HeaderOf;
using fakes::JsonQuoted;
using fakes::LinkOf;

const std::string kNewOrder = kBase + "/acme/new-order";

class OrderFlow : public ServiceTest {
 protected:
  http::Response OrderWith(const std::string& extra) {
    return Post(client_, kNewOrder,
                R"({"identifiers":[{"type":"dns","value":"a.example.test"}])" + extra + "}");
  }
  Client client_ = Register();
};

TEST_F(OrderFlow, ANewOrderIsPendingWithOneAuthorizationEach) {
  const auto created = NewOrder(client_, {"b.example.test", "A.example.test", "b.example.test"});
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(Text(created, "status"), "pending");
  EXPECT_EQ(Texts(created, "authorizations").size(), 2U);
  EXPECT_NE(created.body.find(R"({"type":"dns","value":"a.example.test"})"), std::string::npos);
  EXPECT_FALSE(Has(created, "certificate"));
  EXPECT_FALSE(Has(created, "error"));
  EXPECT_FALSE(Has(created, "notBefore"));
  const auto fetched = Get(client_, HeaderOf(created, "Location"));
  EXPECT_EQ(fetched.body, created.body);
}

TEST_F(OrderFlow, AWildcardAuthorizationHasTheBaseNameAndTheFlag) {
  const auto created = NewOrder(client_, {"*.example.test", "example.test"});
  const auto urls = Texts(created, "authorizations");
  ASSERT_EQ(urls.size(), 2U);
  const auto wildcard = Get(client_, urls[0]);
  EXPECT_NE(wildcard.body.find(R"("value":"example.test")"), std::string::npos);
  EXPECT_NE(wildcard.body.find(R"("wildcard":true)"), std::string::npos);
  EXPECT_EQ(wildcard.body.find("http-01"), std::string::npos);
  EXPECT_FALSE(Has(Get(client_, urls[1]), "wildcard"));
}

TEST_F(OrderFlow, BadIdentifiersAreRefusedTogether) {
  EXPECT_EQ(Problem(Post(client_, kNewOrder, R"({"identifiers":[{"type":"x","value":"y"}]})")),
            "400 unsupportedIdentifier");
  EXPECT_EQ(Problem(NewOrder(client_, {"a_b.test", "-.test", "fine.test"})), "400 compound");
  EXPECT_EQ(Problem(NewOrder(client_, {})), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, kNewOrder, R"({"identifiers":[{"type":"dns"}]})")),
            "400 malformed");
  EXPECT_EQ(faults_.CallsOf("CreateOrder"), 0);
}

TEST_F(OrderFlow, TimesAreHonouredOrRefused) {
  const std::string start = ToRfc3339(clock_.Now());
  const std::string end = ToRfc3339(clock_.Now() + Seconds(7200));
  const auto created = OrderWith(R"(,"notBefore":")" + start + R"(","notAfter":")" + end + "\"");
  EXPECT_EQ(Text(created, "notBefore"), start);
  EXPECT_EQ(Text(created, "notAfter"), end);
  const auto far = [&](int64_t days) {
    return JsonQuoted(ToRfc3339(clock_.Now() + Seconds(days * 86400)));
  };
  for (const std::string& bad :
       {R"(,"notAfter":)" + far(3650), R"(,"notAfter":)" + far(-1), R"(,"notBefore":)" + far(-2),
        R"(,"notBefore":)" + far(200), std::string(R"(,"notBefore":"soon")"),
        std::string(R"(,"notAfter":5)")}) {
    EXPECT_EQ(Problem(OrderWith(bad)), "400 malformed") << bad;
  }
}

TEST_F(OrderFlow, NewOrdersOfOneAccountAreLimited) {
  policy_.new_orders_per_hour = 1;
  Restart();
  EXPECT_EQ(NewOrder(client_, {"a.example.test"}).status, 201);
  const auto response = NewOrder(client_, {"a.example.test"});
  EXPECT_EQ(Problem(response), "429 rateLimited");
  EXPECT_EQ(HeaderOf(response, "Retry-After"), "3600");
}

TEST_F(OrderFlow, AnExpiredOrderIsInvalidAndSaysSo) {
  const std::string url = HeaderOf(NewOrder(client_, {"a.example.test"}), "Location");
  clock_.Advance(policy_.order_lifetime);
  const auto expired = Get(client_, url);
  EXPECT_EQ(Text(expired, "status"), "invalid");
  EXPECT_TRUE(Has(expired, "error"));
}

TEST_F(OrderFlow, OrdersAreListedInPagesWithoutInvalidOnes) {
  std::set<std::string> expected;
  for (int i = 0; i < 55; ++i) {
    expected.insert(HeaderOf(NewOrder(client_, {"a.example.test"}), "Location"));
  }
  const auto dead = NewOrder(client_, {"dead.example.test"});
  EXPECT_EQ(Post(client_, Texts(dead, "authorizations")[0], R"({"status":"deactivated"})").status,
            200);
  std::set<std::string> found;
  std::string url = client_.kid + "/orders";
  int pages = 0;
  while (!url.empty() && pages < 10) {
    const auto page = Get(client_, url);
    for (const std::string& order : Texts(page, "orders")) EXPECT_TRUE(found.insert(order).second);
    url = LinkOf(page, "next");
    ++pages;
  }
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(Problem(Get(client_, client_.kid + "/orders?cursor=%00")), "400 malformed");
  EXPECT_EQ(Problem(Get(client_, client_.kid + "/orders?x=1")), "400 malformed");
}

TEST_F(OrderFlow, AnAuthorizationIsShownAndDeactivated) {
  const auto created = NewOrder(client_, {"a.example.test"});
  const std::string url = Texts(created, "authorizations")[0];
  const auto shown = Get(client_, url);
  EXPECT_EQ(Text(shown, "status"), "pending");
  EXPECT_TRUE(Has(shown, "expires"));
  EXPECT_EQ(Problem(Post(client_, url, "{}")), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, url, R"({"status":"valid"})")), "400 malformed");
  EXPECT_EQ(Text(Post(client_, url, R"({"status":"deactivated"})"), "status"), "deactivated");
  EXPECT_EQ(Text(Get(client_, HeaderOf(created, "Location")), "status"), "invalid");
  EXPECT_EQ(Problem(Post(client_, ChallengeUrl(url, "http-01"), "{}")), "400 malformed");
}

TEST_F(OrderFlow, AnotherAccountsOrdersAndAuthorizationsAreClosed) {
  Client stranger = Register();
  const auto created = NewOrder(client_, {"a.example.test"});
  const std::string order = HeaderOf(created, "Location");
  const std::string authorization = Texts(created, "authorizations")[0];
  const std::string challenge = ChallengeUrl(authorization, "http-01");
  for (const std::string& url : {order, order + "/certificate", authorization, challenge}) {
    EXPECT_EQ(Problem(Get(stranger, url)), "403 unauthorized") << url;
  }
  EXPECT_EQ(Problem(Post(stranger, challenge, "{}")), "403 unauthorized");
  EXPECT_EQ(Problem(Post(stranger, authorization, R"({"status":"deactivated"})")),
            "403 unauthorized");
  EXPECT_EQ(Problem(Finalize(stranger, order, {})), "403 unauthorized");
  EXPECT_EQ(Text(Get(client_, authorization), "status"), "pending");
}

TEST_F(OrderFlow, ThereIsNoCertificateBeforeIssuance) {
  const auto created = NewOrder(client_, {"a.example.test"});
  EXPECT_EQ(Problem(Get(client_, HeaderOf(created, "Location") + "/certificate")), "404 malformed");
  EXPECT_EQ(Problem(Get(client_, kBase + "/acme/order/none")), "404 malformed");
  EXPECT_EQ(Problem(Get(client_, kBase + "/acme/authz/none")), "404 malformed");
}

}  // namespace
}  // namespace agentca::acme::testing
