// Grants and External Account Binding (RFC 8555 §7.3.4).
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "acme/grant_tokens.h"
#include "tests/acme/attest_fixture.h"
#include "tests/fakes/memory_nonces.h"

namespace agentca::acme::testing {
namespace {

class AttestGrant : public AttestTest {
 protected:
  const std::string grant_url_ = kBase + "/acme/grant";
  const std::string new_account_ = kBase + "/acme/new-account";

  struct Offered {
    std::string token;
    attest::Expectation expected;
  };
  Offered Ask(const std::string& name = kName) {
    const auto offered = Open("GET", grant_url_ + "?agent=" + name);
    EXPECT_EQ(offered.status, 200) << offered.body;
    EXPECT_EQ(Text(offered, "audience"), grant_url_);
    const std::string token = Text(offered, "token");
    EXPECT_EQ(Text(offered, "nonce"), ToBase64Url(Sha256(AsBytes(token))));
    return {token, Expected(grant_url_, Sha256(AsBytes(token)))};
  }
  std::string Body(const Offered& offered, std::string response, const std::string& name = kName) {
    response.insert(1, R"("agent":")" + name + R"(","token":")" + offered.token + "\",");
    return response;
  }
  struct Binding {
    std::string kid;
    Bytes key;
  };
  Binding Granted(int level = 2) {
    const Offered offered = Ask();
    const auto granted =
        Open("POST", grant_url_,
             Body(offered, level == 1 ? BearerResponse() : JwtResponse(offered.expected)));
    EXPECT_EQ(granted.status, 201) << granted.body;
    EXPECT_EQ(Text(granted, "agent"), "acme/planner");
    return {Text(granted, "kid"), FromBase64Url(Text(granted, "hmacKey")).value()};
  }
  static Bytes Mac(const Bytes& key, const std::string& input) {
    Bytes mac(32);
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), AsBytes(input).data(),
         input.size(), mac.data(), &size);
    return mac;
  }
  // The field "externalAccountBinding"; `header` and `payload` are JSON.
  static std::string BindingJson(const Bytes& key, const std::string& header,
                                 const std::string& payload) {
    const std::string head = ToBase64Url(AsBytes(header));
    const std::string body = ToBase64Url(AsBytes(payload));
    return R"({"protected":")" + head + R"(","payload":")" + body + R"(","signature":")" +
           ToBase64Url(Mac(key, head + "." + body)) + R"("})";
  }
  std::string HeaderFor(const Binding& binding) const {
    return R"({"alg":"HS256","kid":")" + binding.kid + R"(","url":")" + new_account_ + R"("})";
  }
  http::Response RegisterWith(Client& client, const std::string& binding) {
    return Post(client, new_account_,
                R"({"termsOfServiceAgreed":true,"externalAccountBinding":)" + binding + "}");
  }
  http::Response RegisterWith(Client& client, const Binding& binding) {
    auto response = RegisterWith(client, BindingJson(binding.key, HeaderFor(binding),
                                                     fakes::JwkOf(client.key->public_key())));
    client.kid = fakes::HeaderOf(response, "Location");
    return response;
  }
};

TEST_F(AttestGrant, BindsTheAccountAndIsEchoedBack) {
  Enrol();
  const Binding binding = Granted();
  Client client;
  const std::string json =
      BindingJson(binding.key, HeaderFor(binding), fakes::JwkOf(client.key->public_key()));
  const auto created = RegisterWith(client, json);
  EXPECT_EQ(created.status, 201) << created.body;
  EXPECT_NE(created.body.find(R"("externalAccountBinding":)" + json), std::string::npos);
}

TEST_F(AttestGrant, IsUsedOnce) {
  Enrol();
  const Binding binding = Granted();
  Client first, second;
  EXPECT_EQ(RegisterWith(first, binding).status, 201);
  EXPECT_EQ(Problem(RegisterWith(second, binding)), "403 unauthorized");
}

TEST_F(AttestGrant, Expires) {
  Enrol();
  const Binding binding = Granted();
  clock_.Advance(Seconds(600));
  Client client;
  EXPECT_EQ(Problem(RegisterWith(client, binding)), "403 unauthorized");
}

TEST_F(AttestGrant, OfAnAgentSuspendedMeanwhileIsWorthless) {
  Enrol();
  const Binding binding = Granted();
  Set(ca::AgentStatus::kSuspended);
  Client client;
  EXPECT_EQ(Problem(RegisterWith(client, binding)), "403 unauthorized");
}

// Checklist 36.
TEST_F(AttestGrant, EveryFaultOfTheInnerJwsIsFound) {
  Enrol();
  const Binding binding = Granted();
  Client client;
  const std::string jwk = fakes::JwkOf(client.key->public_key());
  const std::string kid = R"("kid":")" + binding.kid + "\"";
  const std::string url = R"("url":")" + new_account_ + "\"";
  struct Case {
    std::string header, payload, problem;
  };
  const std::vector<Case> cases{
      {R"({"alg":"none",)" + kid + "," + url + "}", jwk, "400 malformed"},
      {R"({"alg":"ES256",)" + kid + "," + url + "}", jwk, "400 malformed"},
      {R"({"alg":"HS512",)" + kid + "," + url + "}", jwk, "400 malformed"},
      {"{" + kid + "," + url + "}", jwk, "400 malformed"},
      {R"({"alg":"HS256",)" + url + "}", jwk, "400 malformed"},
      {R"({"alg":"HS256",)" + kid + "}", jwk, "400 malformed"},
      {R"({"alg":"HS256","nonce":"AAAA",)" + kid + "," + url + "}", jwk, "400 malformed"},
      {R"({"alg":"HS256","crit":["x"],)" + kid + "," + url + "}", jwk, "400 malformed"},
      {R"({"alg":"HS256",)" + kid + R"(,"url":")" + kBase + R"(/acme/new-order"})", jwk,
       "403 unauthorized"},
      {R"({"alg":"HS256","kid":"nobody",)" + url + "}", jwk, "403 unauthorized"},
      {HeaderFor(binding), fakes::JwkOf(fakes::TestSigner().public_key()), "400 malformed"},
      {HeaderFor(binding), "{}", "400 malformed"},
      {HeaderFor(binding), "[", "400 malformed"},
  };
  for (const Case& each : cases) {
    const auto response = RegisterWith(client, BindingJson(binding.key, each.header, each.payload));
    EXPECT_EQ(Problem(response), each.problem) << each.header << response.body;
  }
  Bytes wrong = binding.key;
  wrong[0] ^= 1;
  EXPECT_EQ(Problem(RegisterWith(client, BindingJson(wrong, HeaderFor(binding), jwk))),
            "403 unauthorized");
  std::string truncated = BindingJson(binding.key, HeaderFor(binding), jwk);
  truncated.erase(truncated.size() - 8, 6);
  EXPECT_EQ(RegisterWith(client, truncated).status / 100, 4);
  EXPECT_EQ(Problem(RegisterWith(client, "true")), "400 malformed");
  EXPECT_EQ(RegisterWith(client, binding).status, 201);  // none of these spent it
}

// Checklist 35, 37.
TEST_F(AttestGrant, IsNeededAtCreationAndOnlyThereWhereTheOperatorSaysSo) {
  Enrol();
  Client old = Register();
  policy_.require_grant = true;
  Serve();
  const auto directory = service_->Handle(Plain("GET", "/directory"));
  EXPECT_NE(directory.body.find(R"("externalAccountRequired":true)"), std::string::npos);
  Client fresh;
  EXPECT_EQ(Problem(Post(fresh, new_account_, R"({"termsOfServiceAgreed":true})")),
            "403 externalAccountRequired");
  EXPECT_EQ(RegisterWith(fresh, Granted()).status, 201);
  Client again{old.key};
  EXPECT_EQ(Post(again, new_account_, "{}").status, 200);
  EXPECT_EQ(Post(fresh, fresh.kid, R"({"contact":[]})").status, 200);
}

TEST_F(AttestGrant, IsNotMentionedUnlessNeeded) {
  const auto directory = service_->Handle(Plain("GET", "/directory"));
  EXPECT_EQ(directory.body.find("externalAccountRequired"), std::string::npos);
}

TEST_F(AttestGrant, ABoundAccountOrdersItsAgentAndNothingElse) {
  Enrol();
  Enrol({}, "other");
  Client client;
  ASSERT_EQ(RegisterWith(client, Granted()).status, 201);
  EXPECT_EQ(NewOrder(client, {kName}).status, 201);
  for (const std::string& name : {"other.acme." + kZone, std::string("www.example.test")}) {
    const auto refused = NewOrder(client, {name});
    EXPECT_EQ(Problem(refused), "403 unauthorized") << name;
    EXPECT_NE(refused.body.find("acme/planner"), std::string::npos);
  }
}

TEST_F(AttestGrant, WhileItIsYoungOrdersAreReadyAtOnce) {
  Enrol(Class(ca::Degree::kMedium));  // an hour
  Client client;
  ASSERT_EQ(RegisterWith(client, Granted()).status, 201);
  clock_.Advance(Seconds(3599));
  const AgentOrder order = Order(client);
  EXPECT_EQ(Text(Get(client, order.url), "status"), "ready");
  EXPECT_EQ(Text(Get(client, order.authorization), "status"), "valid");
  EXPECT_EQ(Text(Get(client, order.challenge), "status"), "valid");
  fakes::TestSigner key;
  const auto finalized = Finalize(client, order.url, fakes::MakeCsr(key, {kName}));
  EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
  EXPECT_EQ(IdentityOf(Issued(order)).attestation.verified_at, clock_.Now() - Seconds(3599));
  clock_.Advance(Seconds(1));
  EXPECT_EQ(Text(Get(client, Order(client).url), "status"), "pending");
}

TEST_F(AttestGrant, AnOrderFromItCannotWaitUntilItIsOld) {
  Enrol(Class(ca::Degree::kMedium));
  Client client;
  ASSERT_EQ(RegisterWith(client, Granted()).status, 201);
  clock_.Advance(Seconds(3000));
  const AgentOrder order = Order(client);
  clock_.Advance(Seconds(601));
  fakes::TestSigner key;
  EXPECT_EQ(Problem(Finalize(client, order.url, fakes::MakeCsr(key, {kName}))), "403 unauthorized");
}

TEST_F(AttestGrant, HighClassesProveThemselvesForEachOrder) {
  Enrol(Class(ca::Degree::kHigh));
  const Offered offered = Ask();
  fakes::TestSigner key;
  attest::Expectation bound = offered.expected;
  bound.key = &key.public_key();
  const auto granted = Open("POST", grant_url_, Body(offered, JwtResponse(bound, &key)));
  ASSERT_EQ(granted.status, 201) << granted.body;
  Client client;
  ASSERT_EQ(RegisterWith(client, Binding{Text(granted, "kid"),
                                         FromBase64Url(Text(granted, "hmacKey")).value()})
                .status,
            201);
  EXPECT_EQ(Text(Get(client, Order(client).url), "status"), "pending");
}

TEST_F(AttestGrant, AClassThatDemandsMoreSinceIsProvenAgain) {
  ca::Agent agent = Enrol();
  Client client;
  ASSERT_EQ(RegisterWith(client, Granted(1)).status, 201);
  EXPECT_EQ(Text(Get(client, Order(client).url), "status"), "ready");
  agent.agent_class = Class(ca::Degree::kMedium);
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  EXPECT_EQ(Text(Get(client, Order(client).url), "status"), "pending");
}

TEST_F(AttestGrant, AChangedRegistrationThatIsStillProvenIsReadyAtOnce) {
  ca::Agent agent = Enrol();
  Client client;
  ASSERT_EQ(RegisterWith(client, Granted()).status, 201);
  agent.purpose = "more";
  ASSERT_TRUE(registry_.ChangeAgent(agent, by_).ok());
  const AgentOrder order = Order(client);
  fakes::TestSigner key;
  EXPECT_EQ(Text(Finalize(client, order.url, fakes::MakeCsr(key, {kName})), "status"), "valid");
}

TEST_F(AttestGrant, TokensAreUsedOnceWhateverComesOfIt) {
  Enrol();
  const Offered offered = Ask();
  EXPECT_EQ(Problem(Open("POST", grant_url_,
                         Body(offered, JwtResponse(offered.expected, nullptr, "system:dev")))),
            "403 badAttestationStatement");
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(offered, JwtResponse(offered.expected)))),
            "403 unauthorized");
}

TEST_F(AttestGrant, TokensOfLongAgoAndInventedOnesAreRefused) {
  Enrol();
  const Offered old = Ask();
  clock_.Advance(Seconds(1201));
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(old, JwtResponse(old.expected)))),
            "403 unauthorized");
  const Offered made_up{Nonce(), Expected(grant_url_, Sha256(AsBytes("x")))};
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(made_up, JwtResponse(made_up.expected)))),
            "403 unauthorized");
}

// Two nodes of a cluster.
class AttestGrantOfNodes : public AttestGrant {
 protected:
  AttestGrantOfNodes() {
    for (auto* service : {&other_, &service_}) {
      nonces_ = std::make_shared<const NonceBooks>(SharedBooks(shared_, clock_, random_).value());
      *service = MakeService(memory(), issuance_, revoker_, script_);
    }
  }
  ~AttestGrantOfNodes() override {
    other_.reset();
    service_.reset();
  }

  fakes::MemoryNonces shared_;
  std::unique_ptr<Service> other_;
};

TEST_F(AttestGrantOfNodes, ATokenOfOneIsUsedAtTheOtherOnce) {
  Enrol();
  const Offered offered = Ask();
  std::swap(service_, other_);
  const std::string body = Body(offered, JwtResponse(offered.expected));
  EXPECT_EQ(Open("POST", grant_url_, body).status, 201);
  EXPECT_EQ(Problem(Open("POST", grant_url_, body)), "403 unauthorized");
  std::swap(service_, other_);
  EXPECT_EQ(Problem(Open("POST", grant_url_, body)), "403 unauthorized");
}

TEST_F(AttestGrantOfNodes, ATokenLivesForTenMinutesAndNoNonceIsOne) {
  Enrol();
  const Offered young = Ask();
  const Offered old = Ask();
  clock_.Advance(kGrantTokenLifetime);
  EXPECT_EQ(Open("POST", grant_url_, Body(young, JwtResponse(young.expected))).status, 201);
  clock_.Advance(Seconds(1));
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(old, JwtResponse(old.expected)))),
            "403 unauthorized");
  const std::string nonce = Nonce();
  const Offered made_up{nonce, Expected(grant_url_, Sha256(AsBytes(nonce)))};
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(made_up, JwtResponse(made_up.expected)))),
            "403 unauthorized");
}

TEST_F(AttestGrantOfNodes, AStoreThatIsAwayCostsNobodyTheToken) {
  Enrol();
  const Offered offered = Ask();
  const std::string body = Body(offered, JwtResponse(offered.expected));
  shared_.faults().Fail("SpendNonces", fakes::FailWhen::kBefore);
  EXPECT_EQ(Problem(Open("POST", grant_url_, body)), "503 serverInternal");
  EXPECT_EQ(Open("POST", grant_url_, body).status, 201);
}

TEST_F(AttestGrant, EvidenceForAnOrderIsNotEvidenceForAGrant) {
  Enrol();
  Client client = Register();
  const AgentOrder order = Order(client);
  const Offered offered = Ask();
  EXPECT_EQ(Problem(Open("POST", grant_url_, Body(offered, JwtResponse(Of(order))))),
            "403 badAttestationStatement");
  EXPECT_EQ(Fails(client, order, JwtResponse(Ask().expected)).find("badAttestationStatement"), 0U);
}

TEST_F(AttestGrant, RefusesWhatIsNotAnAgent) {
  EXPECT_EQ(Problem(Open("GET", grant_url_)), "400 malformed");
  EXPECT_EQ(Problem(Open("GET", grant_url_ + "?agent=www.example.test")), "400 rejectedIdentifier");
  EXPECT_EQ(Problem(Open("GET", grant_url_ + "?agent=" + kName)), "400 rejectedIdentifier");
  EXPECT_EQ(Problem(Open("POST", grant_url_, "{}")), "400 malformed");
}

TEST_F(AttestGrant, ThereIsNoneWhereNoAgentsAreServed) {
  agents_ = nullptr;
  Restart();
  EXPECT_EQ(Open("GET", grant_url_ + "?agent=" + kName).status, 404);
  EXPECT_EQ(Open("POST", kBase + "/acme/drop/a/b", "{}").status, 404);
}

}  // namespace
}  // namespace agentca::acme::testing
