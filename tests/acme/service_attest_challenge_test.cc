// agent-attest-01 as the state machine of RFC 8555 §7.1.6 sees it, and every refusal.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestChallenge : public AttestTest {
 protected:
  Client client_ = Register();
};

TEST_F(AttestChallenge, IsValidAfterEvidenceForExactlyThisAccountAndChallenge) {
  Enrol();
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Text(Get(client_, order.url), "status"), "pending");
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  const auto challenge = Get(client_, order.challenge);
  EXPECT_EQ(Text(challenge, "status"), "valid");
  EXPECT_TRUE(Has(challenge, "validated"));
  const auto records = Attestations();
  ASSERT_EQ(records.size(), 1U);
  const Attestation& kept = records.front().attestation;
  EXPECT_EQ(kept.format, "jwt");
  EXPECT_EQ(kept.source, "k8s");
  EXPECT_EQ(kept.level, 2);
  EXPECT_FALSE(kept.key_bound);
  EXPECT_EQ(kept.claims.at("sub"), std::vector<std::string>{"system:planner"});
  EXPECT_EQ(fakes::HeaderOf(challenge, "Link").find("<" + order.authorization + ">"), 0U);
}

TEST_F(AttestChallenge, StaysPendingWhenTheResponseCannotBeRead) {
  Enrol();
  const AgentOrder order = Order(client_);
  for (const char* response :
       {R"({"fmt":"jwt"})", R"({"evidence":"AAAA"})", R"({"fmt":"jwt","evidence":"A=A"})",
        R"({"fmt":"jwt","evidence":""})", R"({"fmt":3,"evidence":"AAAA"})",
        R"({"fmt":"nitro","evidence":"AAAA"})", R"({"fmt":"jwt","evidence":"AAAA","spki":"AA"})",
        R"({"fmt":"jwt","evidence":"AAAA","pop":"AA"})", R"(["fmt"])",
        R"({"fmt":"jwt","evidence":"AAAA"})", R"({"fmt":"tpm","evidence":"AAAA"})"}) {
    EXPECT_EQ(Problem(Post(client_, order.challenge, response)), "400 malformed") << response;
  }
  EXPECT_EQ(Text(Get(client_, order.challenge), "status"), "pending");
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
}

TEST_F(AttestChallenge, IgnoresUnknownMembers) {
  Enrol();
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(
      client_, order,
      Response("jwt", Token(attest::TokenAudience(Of(order))), {}, nullptr, R"("x":{"y":[1]})")));
}

TEST_F(AttestChallenge, AQuickResultShowsInTheAnswer) {
  Enrol();
  validation_.answer_wait = std::chrono::minutes(1);
  Restart();
  const AgentOrder order = Order(client_);
  const auto valid = Post(client_, order.challenge, JwtResponse(Of(order)));
  EXPECT_EQ(Text(valid, "status"), "valid");
  EXPECT_TRUE(Has(valid, "audience"));
  EXPECT_EQ(Text(Post(client_, Order(client_).challenge, "{}"), "status"), "invalid");

  const AgentOrder dropped = Order(client_);
  ASSERT_EQ(Drop(dropped, JwtResponse(Of(dropped))).status, 200);
  const std::string dns01 = ChallengeUrl(dropped.authorization, "dns-01");
  EXPECT_EQ(Text(Post(client_, dns01, "{}"), "status"), "valid");
}

TEST_F(AttestChallenge, AnAnswerDoesNotWaitForKeysThatAreAway) {
  Enrol();
  hardware_->keys_away = true;
  const AgentOrder order = Order(client_);
  const auto answered = Post(client_, order.challenge, HardwareResponse(Of(order)));
  EXPECT_EQ(Text(answered, "status"), "processing");
  hardware_->keys_away = false;
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
}

// Rules and sources, which its challenges are shown by, are not read on an I/O thread.
TEST_F(AttestChallenge, WhatEvidenceWouldDoIsShownByAWorker) {
  Enrol();
  const auto fast = [&](const std::string& url) {
    http::Request request = Plain("POST", url.substr(kBase.size()));
    request.headers = {{"Content-Type", "application/jose+json"}};
    const auto header = Header(url, *client_.key, client_.kid);
    request.body = fakes::SignJws(*client_.key, fakes::HeaderJson(header), "");
    return service_->HandleFast(request);
  };
  const AgentOrder order = Order(client_);
  const int reads = registry_faults_.CallsOf("FindAgent");
  EXPECT_FALSE(fast(order.authorization).has_value());
  EXPECT_FALSE(fast(order.challenge).has_value());
  EXPECT_FALSE(fast(kBase + "/acme/authz/nothing").has_value());
  EXPECT_EQ(fast(order.url)->status, 200);
  EXPECT_EQ(registry_faults_.CallsOf("FindAgent"), reads);
  EXPECT_EQ(Get(client_, order.authorization).status, 200);

  const auto plain = NewOrder(client_, {"a.example.test"});
  const std::string authorization = Texts(plain, "authorizations").at(0);
  EXPECT_EQ(fast(authorization)->status, 200);
  EXPECT_EQ(fast(ChallengeUrl(authorization, "dns-01"))->status, 200);
  EXPECT_EQ(registry_faults_.CallsOf("FindAgent"), reads + 1);  // by the worker above
}

TEST_F(AttestChallenge, AnEmptyResponseWithoutADropSaysSo) {
  Enrol();
  EXPECT_EQ(Fails(client_, Order(client_), "{}"),
            "badAttestationStatement: no evidence: the response brings none, and none lies at the "
            "drop");
}

// What a thief, a relay or a forger could send, and the cause an operator reads.
TEST_F(AttestChallenge, RefusesEvidenceThatIsNotThisAgentsForThisOrder) {
  Enrol();
  fakes::TestSigner forger;
  Client other = Register();
  const AgentOrder foreign = Order(other);
  struct Case {
    const char* cause;
    std::function<std::string(const AgentOrder&)> response;
  };
  const std::vector<Case> cases{
      {"stale nonce", [&](const AgentOrder&) { return JwtResponse(Of(foreign)); }},
      {"foreign audience",
       [&](const AgentOrder&) { return Response("jwt", Token("https://kubernetes.default"), {}); }},
      {"stale nonce",
       [&](const AgentOrder& order) { return Response("jwt", Token(order.challenge), {}); }},
      {"stale nonce",
       [&](const AgentOrder& order) {
         return JwtResponse(Expected(order.challenge, Sha256(AsBytes("of yesterday"))));
       }},
      {"claim mismatch",
       [&](const AgentOrder& order) { return JwtResponse(Of(order), nullptr, "system:somebody"); }},
      {"wrong issuer",
       [&](const AgentOrder& order) {
         return Response("jwt",
                         Token(attest::TokenAudience(Of(order)), "system:planner",
                               {{"iss", R"("https://evil.example.test")"}}),
                         {});
       }},
      {"expired",
       [&](const AgentOrder& order) {
         return Response(
             "jwt",
             Token(attest::TokenAudience(Of(order)), "system:planner",
                   {{"exp", std::to_string(clock_.Now().time_since_epoch().count() - 3600)}}),
             {});
       }},
      {"key mismatch",  // bound to a key of which the sender has no private half
       [&](const AgentOrder& order) {
         fakes::TestSigner victim;
         std::string response = JwtResponse(Of(order, &victim), &victim);
         const Bytes stolen = forger.Sign(attest::SignedMessage(Of(order, &victim))).value();
         const size_t at = response.find(R"("pop":")") + 7;
         return response.substr(0, at) + ToBase64Url(stolen) + R"("})";
       }},
      {"stale nonce", [&](const AgentOrder&) { return HardwareResponse(Of(foreign)); }},
  };
  for (const Case& each : cases) {
    const AgentOrder order = Order(client_);
    const std::string error = Fails(client_, order, each.response(order));
    EXPECT_TRUE(error.starts_with("badAttestationStatement: " + std::string(each.cause) + ": "))
        << each.cause << " ≠ " << error;
    EXPECT_TRUE(Settles(client_, order.url, "invalid"));
  }
}

TEST_F(AttestChallenge, NamesBothSidesOfAClaimThatDoesNotMatch) {
  Enrol();
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Fails(client_, order, JwtResponse(Of(order), nullptr, "system:dev")),
            "badAttestationStatement: claim mismatch: claim \"sub\" is \"system:dev\", the agent's "
            "rule wants \"system:planner\"");
  const auto challenge = JsonDocument::Parse(Get(client_, order.challenge).body);
  const auto causes = challenge->root().Find("error")->Find("subproblems")->elements();
  ASSERT_EQ(causes.size(), 1U);
  EXPECT_EQ(causes[0].String("detail").value(), "claim mismatch");
}

TEST_F(AttestChallenge, RefusesASignatureOfAnotherKey) {
  Enrol();
  const AgentOrder order = Order(client_);
  std::string token = Token(attest::TokenAudience(Of(order)));
  token.replace(token.rfind('.') + 1, 8, "AAAAAAAA");
  EXPECT_EQ(Fails(client_, order, Response("jwt", token, {}))
                .find("badAttestationStatement: bad signature"),
            0U);
}

TEST_F(AttestChallenge, ATenantsSourceNeverSpeaksForAnotherTenant) {
  PutSource("theirs", "jwt", "globex");
  ca::Agent agent = fakes::TestAgent();
  agent.agent_class = {};
  agent.evidence = {{"theirs", {{"sub", "*"}}}};
  Add(agent);
  const AgentOrder order = Order(client_);
  EXPECT_EQ(
      Fails(client_, order, JwtResponse(Of(order))).find("badAttestationStatement: wrong issuer"),
      0U);
  agent.id.tenant = "globex";
  Add(agent);
  const AgentOrder own = Order(client_, "planner.globex." + kZone);
  EXPECT_TRUE(Proves(client_, own, JwtResponse(Of(own))));
}

TEST_F(AttestChallenge, WhatTheSourceRequiresMustHold) {
  Enrol();
  auto source = Source("lab");
  source.required = {{"image", "good"}};
  Put(source);
  AgentOrder order = Order(client_);
  EXPECT_EQ(Fails(client_, order, HardwareResponse(Of(order), nullptr, 4, "bad")),
            "badAttestationStatement: measurement denied: \"image\" is \"bad\", source "
            "\"lab\" wants \"good\"");
  order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, HardwareResponse(Of(order), nullptr, 4, "good")));
}

TEST_F(AttestChallenge, ASourceCountsForNoMoreThanItsMaximum) {
  Enrol(Class(ca::Degree::kHigh));
  auto source = Source("lab");
  source.max_level = 2;
  Put(source);
  fakes::TestSigner key;
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Fails(client_, order, HardwareResponse(Of(order, &key), &key)),
            "unauthorized: agent acme/planner (access high, decision low, risk low) needs evidence "
            "of level 3; this is of level 2");
}

TEST_F(AttestChallenge, AFixedAudienceCountsOnlyWhereThePolicySaysSo) {
  Enrol();
  AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, BearerResponse()));
  raw_policy_.allow_fixed_audience = false;
  Serve();
  order = Order(client_);
  EXPECT_EQ(Fails(client_, order, BearerResponse()),
            "unauthorized: the policy of this CA accepts no tokens for a fixed audience");
}

TEST_F(AttestChallenge, TheSameEvidenceNeverCountsTwice) {
  Enrol();
  const std::string response = BearerResponse();
  EXPECT_TRUE(Proves(client_, Order(client_), response));
  EXPECT_EQ(Fails(client_, Order(client_), response).find("badAttestationStatement: replayed"), 0U);
  Client thief = Register();
  EXPECT_EQ(Fails(thief, Order(thief), response).find("badAttestationStatement: replayed"), 0U);
}

TEST_F(AttestChallenge, EvidenceRelayedToAnotherAccountIsWorthless) {
  Enrol();
  Client relay = Register();
  const AgentOrder honest = Order(client_);
  const AgentOrder theirs = Order(relay);
  const std::string response = JwtResponse(Of(honest));
  EXPECT_EQ(Fails(relay, theirs, response).find("badAttestationStatement: "), 0U);
  EXPECT_TRUE(Proves(client_, honest, response));
}

TEST_F(AttestChallenge, OneEvidenceAChallenge) {
  Enrol();
  const AgentOrder order = Order(client_);
  Fails(client_, order, JwtResponse(Of(order), nullptr, "system:dev"));
  const auto again = Post(client_, order.challenge, JwtResponse(Of(order)));
  EXPECT_EQ(Text(again, "status"), "invalid");
}

TEST_F(AttestChallenge, AnAgentSuspendedWhileItsEvidenceIsVerifiedProvesNothing) {
  Enrol();
  const AgentOrder order = Order(client_);
  Set(ca::AgentStatus::kSuspended);
  EXPECT_EQ(Fails(client_, order, JwtResponse(Of(order))),
            "unauthorized: agent acme/planner is suspended");
}

TEST_F(AttestChallenge, WaitsWithAnErrorWhileKeysAreOutOfReachAndRecovers) {
  Enrol();
  hardware_->keys_away = true;
  const AgentOrder order = Order(client_);
  ASSERT_EQ(Post(client_, order.challenge, HardwareResponse(Of(order))).status, 200);
  ASSERT_TRUE(fakes::Eventually([&] { return hardware_->verified > 5; }));  // beyond `attempts`
  const auto waiting = Get(client_, order.challenge);
  EXPECT_EQ(Text(waiting, "status"), "processing");
  EXPECT_EQ(ErrorOf(waiting).find("serverInternal: "), 0U);
  EXPECT_EQ(waiting.body.find("10.0.0.7"), std::string::npos);
  EXPECT_NE(fakes::HeaderOf(waiting, "Retry-After"), "");
  hardware_->keys_away = false;
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
}

TEST_F(AttestChallenge, FetchesTheKeysOfAnIssuerAndWaitsForThemWhileItIsDown) {
  Enrol();
  auto source = Source("k8s");
  source.jwks.clear();
  source.jwks_url = "https://issuer.example.test/keys";
  source.ca_pem = chain_pem_;
  Put(source);
  keys_away_ = true;
  const AgentOrder order = Order(client_);
  ASSERT_EQ(Post(client_, order.challenge, JwtResponse(Of(order))).status, 200);
  ASSERT_TRUE(fakes::Eventually([&] { return Has(Get(client_, order.challenge), "error"); }));
  EXPECT_EQ(Text(Get(client_, order.challenge), "status"), "processing");
  EXPECT_EQ(Drop(Order(client_), JwtResponse(Of(order))).status / 100, 4);
  keys_away_ = false;
  clock_.Advance(Seconds(90));  // an issuer that failed is left alone for a while
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
  EXPECT_GE(fetches_, 2);
}

TEST_F(AttestChallenge, GivesUpOnKeysWhenTheAuthorizationExpires) {
  Enrol();
  hardware_->keys_away = true;
  const AgentOrder order = Order(client_);
  ASSERT_EQ(Post(client_, order.challenge, HardwareResponse(Of(order))).status, 200);
  ASSERT_TRUE(fakes::Eventually([&] { return hardware_->verified > 1; }));
  clock_.Advance(policy_.authorization_lifetime);
  EXPECT_TRUE(Settles(client_, order.challenge, "invalid"));
}

}  // namespace
}  // namespace agentca::acme::testing
