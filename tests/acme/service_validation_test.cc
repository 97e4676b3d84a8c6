#include <mutex>

#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::Eventually;
using fakes::FailWhen;
using fakes::HeaderOf;
using fakes::LinkOf;

class ValidationFlow : public ServiceTest {
 protected:
  // The authorization of a new order.
  std::string NewAuthorization(const std::string& name = "a.example.test") {
    const auto created = NewOrder(client_, {name});
    order_ = HeaderOf(created, "Location");
    return Texts(created, "authorizations").at(0);
  }
  AuthorizationId IdOf(const std::string& url) {
    return url.substr((kBase + "/acme/authz/").size());
  }
  http::Response Begin(const std::string& authorization, const std::string& type = "http-01") {
    return Post(client_, ChallengeUrl(authorization, type), "{}");
  }

  Client client_ = Register();
  std::string order_;
};

TEST_F(ValidationFlow, LookingDoesNotStartAChallengeAnObjectDoes) {
  const std::string url = NewAuthorization();
  const std::string challenge = ChallengeUrl(url, "http-01");
  const auto looked = Get(client_, challenge);
  EXPECT_EQ(Text(looked, "status"), "pending");
  EXPECT_EQ(LinkOf(looked, "up"), url);
  EXPECT_EQ(faults_.CallsOf("BeginChallenge"), 0);
  for (const char* payload : {"[]", "null", "\"x\"", "{"}) {
    EXPECT_EQ(Problem(Post(client_, challenge, payload)), "400 malformed");
  }
  EXPECT_EQ(faults_.CallsOf("BeginChallenge"), 0);
  EXPECT_EQ(LinkOf(Post(client_, challenge, R"({"colour":{"deep":[1]}})"), "up"), url);
  EXPECT_TRUE(Settles(client_, url, "valid"));
  const auto valid = Get(client_, challenge);
  EXPECT_TRUE(Has(valid, "validated"));
  EXPECT_TRUE(Has(valid, "token"));
  EXPECT_EQ(Text(Get(client_, order_), "status"), "ready");
  EXPECT_EQ(Text(Post(client_, challenge, "{}"), "status"), "valid");  // a repeat changes nothing
  EXPECT_EQ(Problem(Get(client_, ChallengeUrl(url, "dns-02"))), "404 malformed");
}

TEST_F(ValidationFlow, TheVerifierSeesTheKeyAuthorizationOfTheAccount) {
  std::mutex mutex;
  std::string seen;
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    const std::lock_guard lock(mutex);
    seen = evidence.key_authorization;
    EXPECT_EQ(evidence.identifier.value, "wild.example.test");
    return Proof{{evidence.identifier}, std::nullopt};
  };
  const std::string url = NewAuthorization("*.wild.example.test");
  const std::string token = Text(Get(client_, ChallengeUrl(url, "dns-01")), "token");
  Begin(url, "dns-01");
  EXPECT_TRUE(Settles(client_, url, "valid"));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, token + "." + Thumbprint(client_.key->public_key()));
}

TEST_F(ValidationFlow, AQuickResultShowsInTheAnswer) {
  validation_.answer_wait = std::chrono::minutes(1);
  Restart();
  EXPECT_EQ(Text(Begin(NewAuthorization()), "status"), "valid");
  *script_ = [](const Evidence&) -> Result<Proof> {
    return Error{Code::kUnauthorized, "wrong content"};
  };
  Restart();
  EXPECT_EQ(Text(Begin(NewAuthorization()), "status"), "invalid");
}

TEST_F(ValidationFlow, AFailureInvalidatesAuthorizationAndOrderWithItsError) {
  *script_ = [](const Evidence&) -> Result<Proof> {
    return Error{Code::kUnauthorized, "wrong content"};
  };
  const std::string url = NewAuthorization();
  Begin(url);
  EXPECT_TRUE(Settles(client_, url, "invalid"));
  const auto order = Get(client_, order_);
  EXPECT_EQ(Text(order, "status"), "invalid");
  EXPECT_NE(order.body.find("wrong content"), std::string::npos);
  EXPECT_NE(Get(client_, ChallengeUrl(url, "http-01")).body.find("unauthorized"),
            std::string::npos);
  EXPECT_EQ(Get(client_, url).body.find("dns-01"), std::string::npos);
}

TEST_F(ValidationFlow, CausesThatCanPassAreTriedAgainAndShownMeanwhile) {
  std::atomic<int> tries{0};
  validation_.retry_delay = std::chrono::hours(1);
  *script_ = [&](const Evidence&) -> Result<Proof> {
    ++tries;
    return Error{Code::kConnection, "refused"};
  };
  Restart();
  const std::string url = NewAuthorization();
  Begin(url);
  const std::string challenge = ChallengeUrl(url, "http-01");
  EXPECT_TRUE(Eventually([&] { return Has(Get(client_, challenge), "error"); }));
  const auto retrying = Get(client_, challenge);
  EXPECT_EQ(Text(retrying, "status"), "processing");
  EXPECT_NE(HeaderOf(retrying, "Retry-After"), "");
  EXPECT_EQ(tries, 1);

  validation_.retry_delay = std::chrono::milliseconds(1);
  Restart();  // what waited is taken up by the next process
  EXPECT_TRUE(service_->Recover().ok());
  EXPECT_TRUE(Settles(client_, url, "invalid"));
  EXPECT_EQ(tries, 1 + validation_.attempts);
}

TEST_F(ValidationFlow, ARetryThatSucceedsIsValid) {
  std::atomic<int> tries{0};
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    if (++tries < 3) return Error{Code::kIncorrectResponse, "no matching TXT record yet"};
    return Proof{{evidence.identifier}, std::nullopt};
  };
  const std::string url = NewAuthorization();
  Begin(url, "dns-01");
  EXPECT_TRUE(Settles(client_, url, "valid"));
  EXPECT_EQ(tries, 3);
  EXPECT_FALSE(Has(Get(client_, ChallengeUrl(url, "dns-01")), "error"));
}

TEST_F(ValidationFlow, ProofOfSomethingElseProvesNothing) {
  *script_ = [](const Evidence&) -> Result<Proof> {
    return Proof{{{Identifier::Type::kDns, "other.example.test"}}, std::nullopt};
  };
  const std::string url = NewAuthorization();
  Begin(url);
  EXPECT_TRUE(Settles(client_, url, "invalid"));
}

TEST_F(ValidationFlow, AVerifierThatThrowsIsAnIncidentNotACrash) {
  *script_ = [](const Evidence&) -> Result<Proof> { throw std::runtime_error("secret"); };
  const std::string url = NewAuthorization();
  Begin(url);
  EXPECT_TRUE(Settles(client_, url, "invalid"));
  const auto challenge = Get(client_, ChallengeUrl(url, "http-01"));
  EXPECT_NE(challenge.body.find("incident"), std::string::npos);
  EXPECT_EQ(challenge.body.find("secret"), std::string::npos);
}

TEST_F(ValidationFlow, AFullQueueRefusesBeforeTheChallengeBegins) {
  validation_.queue = 1;
  std::atomic<bool> open{false};
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    EXPECT_TRUE(Eventually([&] { return open.load(); }));
    return Proof{{evidence.identifier}, std::nullopt};
  };
  Restart();
  const std::string first = NewAuthorization("a.example.test");
  const std::string second = NewAuthorization("b.example.test");
  EXPECT_EQ(Begin(first).status, 200);
  const auto refused = Begin(second);
  EXPECT_EQ(Problem(refused), "503 serverInternal");
  EXPECT_NE(HeaderOf(refused, "Retry-After"), "");
  EXPECT_EQ(Text(Get(client_, second), "status"), "pending");
  EXPECT_EQ(faults_.CallsOf("BeginChallenge"), 1);
  open = true;
  EXPECT_TRUE(Settles(client_, first, "valid"));
  EXPECT_TRUE(Eventually([&] { return Begin(second).status == 200; }));
  EXPECT_TRUE(Settles(client_, second, "valid"));
}

TEST_F(ValidationFlow, SettlesWhenTheStoreFailedBeforeOrAfterItPersisted) {
  for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
    faults_.Fail("FinishChallenge", when);
    const std::string url = NewAuthorization();
    Begin(url);
    EXPECT_TRUE(Settles(client_, url, "valid"));
  }
}

TEST_F(ValidationFlow, AnAuthorizationDeactivatedMeanwhileStaysSo) {
  std::atomic<bool> open{false};
  std::atomic<bool> done{false};
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    EXPECT_TRUE(Eventually([&] { return open.load(); }));
    done = true;
    return Proof{{evidence.identifier}, std::nullopt};
  };
  const std::string url = NewAuthorization();
  Begin(url);
  EXPECT_EQ(Post(client_, url, R"({"status":"deactivated"})").status, 200);
  open = true;
  EXPECT_TRUE(Eventually([&] { return done && faults_.CallsOf("FinishChallenge") > 0; }));
  Restart();  // waits for what is under way
  EXPECT_EQ(Text(Get(client_, url), "status"), "deactivated");
}

TEST_F(ValidationFlow, ASecondChallengeOfAnAuthorizationIsRefused) {
  std::atomic<bool> open{false};
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    EXPECT_TRUE(Eventually([&] { return open.load(); }));
    return Proof{{evidence.identifier}, std::nullopt};
  };
  const std::string url = NewAuthorization();
  EXPECT_EQ(Text(Begin(url, "http-01"), "status"), "processing");
  EXPECT_EQ(Problem(Begin(url, "dns-01")), "400 malformed");
  open = true;
  EXPECT_TRUE(Settles(client_, url, "valid"));
}

}  // namespace
}  // namespace agentca::acme::testing
