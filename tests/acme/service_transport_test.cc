// What every request has to pass, whatever it asks for (RFC 8555 §6).
#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::HeaderJson;
using fakes::HeaderOf;
using fakes::JsonQuoted;
using fakes::LinkOf;
using fakes::SignJws;

const std::string kNewOrder = kBase + "/acme/new-order";

class Transport : public ServiceTest {
 protected:
  Client client_ = Register();
  http::Response PostWith(const fakes::JwsHeader& header, const std::string& url,
                          std::string_view payload = "") {
    return PostRaw(url, SignJws(*client_.key, HeaderJson(header), payload));
  }
};

TEST_F(Transport, DirectoryAndNoncesNeedNoSignatureAndNoThread) {
  const auto directory = service_->HandleFast(Plain("GET", "/directory"));
  ASSERT_TRUE(directory.has_value());
  EXPECT_EQ(Text(*directory, "newOrder"), kNewOrder);
  EXPECT_FALSE(Has(*directory, "newAuthz"));
  EXPECT_EQ(LinkOf(*directory, "index"), "");

  const auto head = service_->HandleFast(Plain("HEAD", "/acme/new-nonce"));
  const auto get = service_->HandleFast(Plain("GET", "/acme/new-nonce"));
  ASSERT_TRUE(head && get);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(get->status, 204);
  EXPECT_EQ(HeaderOf(*get, "Cache-Control"), "no-store");
  EXPECT_NE(HeaderOf(*get, "Replay-Nonce"), HeaderOf(*head, "Replay-Nonce"));
  EXPECT_EQ(LinkOf(*get, "index"), kBase + "/directory");
  EXPECT_FALSE(service_->HandleFast(Plain("POST", "/directory")).has_value());
}

// Small POST-as-GET requests that look at one object are answered on the I/O thread, under the same
// checks; what acts, is large or is no JWS is left to a worker.
TEST_F(Transport, LooksNeedNoThread) {
  const std::string order = ReadyOrder(client_, {"a.example.test"});
  const auto fast = [&](const std::string& url, const std::string& body) {
    http::Request request = Plain("POST", url.substr(kBase.size()));
    request.headers = {{"Content-Type", "application/jose+json"}};
    request.body = body;
    return service_->HandleFast(request);
  };
  const auto sign = [&](const std::string& url, std::string_view payload) {
    return SignJws(*client_.key, HeaderJson(Header(url, *client_.key, client_.kid)), payload);
  };
  for (const std::string& url : {order, Texts(Get(client_, order), "authorizations").at(0),
                                 client_.kid}) {
    const std::string body = sign(url, "");
    const auto answered = fast(url, body);
    ASSERT_TRUE(answered.has_value()) << url;
    EXPECT_EQ(answered->status, 200) << answered->body;
    EXPECT_NE(HeaderOf(*answered, "Replay-Nonce"), "");
    EXPECT_EQ(Problem(*fast(url, body)), "400 badNonce");
  }
  EXPECT_EQ(Problem(*fast(order, SignJws(*Register().key,
                                         HeaderJson(Header(order, *client_.key, client_.kid)), ""))),
            "400 malformed");
  EXPECT_FALSE(fast(client_.kid, sign(client_.kid, R"({"status":"deactivated"})")).has_value());
  EXPECT_FALSE(fast(order + "/finalize", sign(order + "/finalize", "")).has_value());
  EXPECT_FALSE(fast(client_.kid + "/orders", sign(client_.kid + "/orders", "")).has_value());
  EXPECT_FALSE(fast(order, std::string(5000, ' ') + sign(order, "")).has_value());
  EXPECT_FALSE(fast(order, "{}").has_value());
  EXPECT_EQ(Text(Get(client_, client_.kid), "status"), "valid");
}

TEST_F(Transport, PostAsGetWorksOnDirectoryAndNewNonce) {
  EXPECT_EQ(Text(Get(client_, kBase + "/directory"), "newOrder"), kNewOrder);
  const auto nonce = Get(client_, kBase + "/acme/new-nonce");
  EXPECT_EQ(nonce.status, 204);
  EXPECT_NE(HeaderOf(nonce, "Replay-Nonce"), "");
}

TEST_F(Transport, OtherMethodsAndPathsAreRefused) {
  const auto get = service_->Handle(Plain("GET", "/acme/new-order"));
  EXPECT_EQ(Problem(get), "405 malformed");
  EXPECT_EQ(HeaderOf(get, "Allow"), "POST");
  EXPECT_EQ(Problem(service_->Handle(Plain("PUT", "/directory"))), "405 malformed");
  for (const char* path : {"/", "/acme", "/acme/", "/directory/", "/acme/order/", "/acme//x",
                           "/acme/order/a/b", "/acme/challenge/a", ""}) {
    const auto response = service_->Handle(Plain("POST", path));
    EXPECT_EQ(Problem(response), "404 malformed") << path;
    EXPECT_NE(HeaderOf(response, "Replay-Nonce"), "");
  }
}

TEST_F(Transport, AnotherContentTypeIs415) {
  http::Request request = Plain("POST", "/acme/new-order");
  EXPECT_EQ(Problem(service_->Handle(request)), "415 malformed");
  request.headers = {{"Content-Type", "application/json"}};
  EXPECT_EQ(Problem(service_->Handle(request)), "415 malformed");
}

TEST_F(Transport, TheUrlIsComparedAsAString) {
  const std::vector<std::string> others{kNewOrder + "/", kNewOrder + "?", kBase + "/acme/new-nonce",
                                        "https://CA.example.test/acme/new-order"};
  for (const std::string& other : others) {
    EXPECT_EQ(Problem(PostWith(Header(other, *client_.key, client_.kid), kNewOrder, "{}")),
              "403 unauthorized");
  }
}

TEST_F(Transport, ANonceIsSpentOnceAndBadNonceBringsAFreshOne) {
  auto header = Header(client_.kid, *client_.key, client_.kid);
  EXPECT_EQ(PostWith(header, client_.kid).status, 200);
  const auto replayed = PostWith(header, client_.kid);
  EXPECT_EQ(Problem(replayed), "400 badNonce");
  header["nonce"] = JsonQuoted(HeaderOf(replayed, "Replay-Nonce"));
  EXPECT_EQ(PostWith(header, client_.kid).status, 200);
  header.erase("nonce");
  EXPECT_EQ(Problem(PostWith(header, client_.kid)), "400 badNonce");
}

TEST_F(Transport, WhoCannotSignSpendsNoNonce) {
  const auto header = Header(client_.kid, *client_.key, client_.kid);
  fakes::TestSigner thief;
  EXPECT_EQ(Problem(PostRaw(client_.kid, SignJws(thief, HeaderJson(header), ""))), "400 malformed");
  EXPECT_EQ(PostWith(header, client_.kid).status, 200);
}

TEST_F(Transport, TheKeyRuleOfTheResourceHolds) {
  EXPECT_EQ(Problem(PostWith(Header(kNewOrder, *client_.key, ""), kNewOrder, "{}")),
            "400 malformed");
  const std::string new_account = kBase + "/acme/new-account";
  EXPECT_EQ(Problem(PostWith(Header(new_account, *client_.key, client_.kid), new_account, "{}")),
            "400 malformed");
  for (const std::string& kid :
       {kBase + "/acme/account/none", std::string("https://other.test/acme/account/x"),
        std::string("x")}) {
    EXPECT_EQ(Problem(PostWith(Header(kNewOrder, *client_.key, kid), kNewOrder, "{}")),
              "400 accountDoesNotExist");
  }
}

TEST_F(Transport, PayloadsAreEmptyWhereOnlyLookingIsAllowed) {
  const std::string orders = client_.kid + "/orders";
  EXPECT_EQ(Get(client_, orders).status, 200);
  EXPECT_EQ(Problem(Post(client_, orders, "{}")), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, kNewOrder, "")), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, kNewOrder, "[]")), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, kNewOrder, "{")), "400 malformed");
}

TEST_F(Transport, UnknownAlgorithmsAreAnsweredWithThoseSupported) {
  auto header = Header(kNewOrder, *client_.key, client_.kid);
  header["alg"] = R"("HS256")";
  const auto response = PostWith(header, kNewOrder, "{}");
  EXPECT_EQ(Problem(response), "400 badSignatureAlgorithm");
  EXPECT_EQ(Texts(response, "algorithms"),
            (std::vector<std::string>{"ES256", "ES384", "EdDSA", "RS256"}));
}

TEST_F(Transport, WhatTheEdgeRefusesIsAProblemWithANonce) {
  const auto response = service_->Refuse(413, "body is too large");
  EXPECT_EQ(Problem(response), "413 malformed");
  EXPECT_NE(HeaderOf(response, "Replay-Nonce"), "");
  const auto busy = service_->Refuse(503, "busy");
  EXPECT_EQ(Problem(busy), "503 serverInternal");
  EXPECT_NE(HeaderOf(busy, "Retry-After"), "");
}

TEST_F(Transport, AStoreThatIsAwayIs503WithoutItsName) {
  faults_.FailAll(Error{Code::kUnavailable, "database file /var/lib/x"});
  const auto response = NewOrder(client_, {"a.example.test"});
  EXPECT_EQ(Problem(response), "503 serverInternal");
  EXPECT_NE(HeaderOf(response, "Retry-After"), "");
  EXPECT_EQ(response.body.find("/var"), std::string::npos);
  faults_.FailAll(Error{Code::kInternal, "database file /var/lib/x"});
  const auto broken = NewOrder(client_, {"a.example.test"});
  EXPECT_EQ(Problem(broken), "500 serverInternal");
  EXPECT_NE(Text(broken, "detail").find("incident"), std::string::npos);
  EXPECT_EQ(broken.body.find("/var"), std::string::npos);
}

}  // namespace
}  // namespace agentca::acme::testing
