// Drops: evidence from hooks, and what strangers do to them.
#include <thread>

#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestDrop : public AttestTest {
 protected:
  AttestDrop() { Enrol(); }
  Client client_ = Register();
};

TEST_F(AttestDrop, TellsAHookWhatToAskEvidenceFor) {
  const AgentOrder order = Order(client_);
  const auto described = Open("GET", order.drop);
  EXPECT_EQ(described.status, 200);
  EXPECT_EQ(Text(described, "audience"), order.challenge);
  EXPECT_EQ(Text(described, "nonce"), ToBase64Url(order.nonce));
  EXPECT_EQ(Text(described, "status"), "pending");
  EXPECT_EQ(Text(described, "keyBinding"), "optional");
  EXPECT_EQ(Texts(described, "formats"), (std::vector<std::string>{"jwt", "tpm"}));
}

TEST_F(AttestDrop, PublishesTheTxtValueSoThatDns01NeedsNoDns) {
  std::atomic<int> queries{0};
  *script_ = [&](const Evidence& evidence) -> Result<Proof> {
    ++queries;
    return Proof{{evidence.identifier}, std::nullopt};
  };
  const AgentOrder order = Order(client_);
  const auto dropped = Drop(order, JwtResponse(Of(order)));
  EXPECT_EQ(dropped.status, 200) << dropped.body;
  EXPECT_EQ(dropped.body, R"({"status":"dropped","agent":"acme/planner","format":"jwt","level":2,)"
                          R"("keyBound":false})");
  EXPECT_EQ(Text(Open("GET", order.drop), "status"), "dropped");
  ASSERT_EQ(Post(client_, ChallengeUrl(order.authorization, "dns-01"), "{}").status, 200);
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
  EXPECT_EQ(queries, 0);
}

TEST_F(AttestDrop, Dns01WaitsForTheDropLikeForARecordOnItsWay) {
  validation_.attempts = 1'000'000;
  Serve();
  const AgentOrder order = Order(client_);
  const std::string dns = ChallengeUrl(order.authorization, "dns-01");
  ASSERT_EQ(Post(client_, dns, "{}").status, 200);
  ASSERT_TRUE(fakes::Eventually([&] { return Has(Get(client_, dns), "error"); }));
  EXPECT_EQ(Text(Get(client_, dns), "status"), "processing");
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
  EXPECT_TRUE(Settles(client_, order.url, "ready"));
}

TEST_F(AttestDrop, Dns01WithoutADropFails) {
  const AgentOrder order = Order(client_);
  const std::string dns = ChallengeUrl(order.authorization, "dns-01");
  ASSERT_EQ(Post(client_, dns, "{}").status, 200);
  EXPECT_TRUE(Settles(client_, dns, "invalid"));
  EXPECT_EQ(ErrorOf(Get(client_, dns)).find("incorrectResponse: no evidence about agent"), 0U);
}

TEST_F(AttestDrop, IsWhatAnEmptyResponseToTheChallengeMeans) {
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
  EXPECT_TRUE(Proves(client_, order, "{}"));
  EXPECT_EQ(Attestations().size(), 1U);  // one proof, one record
}

TEST_F(AttestDrop, OtherEvidenceBesideADropIsRefused) {
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
  EXPECT_EQ(Fails(client_, order, HardwareResponse(Of(order))).find("badAttestationStatement: "),
            0U);
}

TEST_F(AttestDrop, TheFirstValidOneWins) {
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
  const auto second = Drop(order, HardwareResponse(Of(order)));
  EXPECT_EQ(Problem(second), "409 malformed");
  EXPECT_EQ(store_.FindAuthorization(store_.FindOrder(IdOf(order))->authorizations[0].id)
                ->attestation->format,
            "jwt");
}

TEST_F(AttestDrop, RefusedEvidencePoisonsNothing) {
  const AgentOrder order = Order(client_);
  const auto refused = Drop(order, JwtResponse(Of(order), nullptr, "system:dev"));
  EXPECT_EQ(Problem(refused), "403 badAttestationStatement");
  EXPECT_EQ(Text(refused, "detail"),
            "claim mismatch: claim \"sub\" is \"system:dev\", the agent's rule wants "
            "\"system:planner\"");
  EXPECT_EQ(Problem(Drop(order, "{")), "400 malformed");
  EXPECT_EQ(Problem(Drop(order, R"({"fmt":"jwt","evidence":"AAAA"})")).substr(0, 1), "4");
  EXPECT_EQ(Text(Open("GET", order.drop), "status"), "pending");
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 200);
}

TEST_F(AttestDrop, NothingIsLookedAtUnlessNameAndValueMatch) {
  Enrol({}, "other");
  const AgentOrder order = Order(client_);
  const std::string base = kBase + "/acme/drop/";
  const std::string value = ToBase64Url(order.nonce);
  for (const std::string& url :
       {base + "other.acme." + kZone + "/" + value, base + "www.example.test/" + value,
        base + kName + "/" + ToBase64Url(Sha256(AsBytes("guess"))), base + kName + "/AAAA",
        base + kName + "/" + value + "=", base + "PLANNER.acme." + kZone + "/" + value,
        base + "*.acme." + kZone + "/" + value, base + kName}) {
    EXPECT_EQ(Open("GET", url).status, 404) << url;
    EXPECT_EQ(Open("POST", url, HardwareResponse(Of(order))).status, 404) << url;
  }
  EXPECT_EQ(hardware_->verified, 0);
  EXPECT_EQ(Attestations().size(), 0U);
}

TEST_F(AttestDrop, IsGoneWhenTheChallengeIsNoLongerPending) {
  const AgentOrder settled = Order(client_);
  EXPECT_TRUE(Proves(client_, settled, JwtResponse(Of(settled))));
  EXPECT_EQ(Open("GET", settled.drop).status, 404);
  const AgentOrder expired = Order(client_);
  clock_.Advance(policy_.authorization_lifetime);
  EXPECT_EQ(Drop(expired, JwtResponse(Of(expired))).status, 404);
}

TEST_F(AttestDrop, AChangeOfTheAccountsKeyVoidsTheValueMadeForTheOldOne) {
  const AgentOrder order = Order(client_);
  auto key = std::make_shared<fakes::TestSigner>();
  ASSERT_TRUE(store_
                  .ChangeKey(client_.kid.substr((kBase + "/acme/account/").size()),
                             Thumbprint(client_.key->public_key()), key->public_key(),
                             Thumbprint(key->public_key()))
                  .ok());
  EXPECT_EQ(Drop(order, JwtResponse(Of(order))).status, 404);
}

TEST_F(AttestDrop, ASuspendedAgentDropsNothing) {
  const AgentOrder order = Order(client_);
  Set(ca::AgentStatus::kSuspended);
  EXPECT_EQ(Problem(Drop(order, JwtResponse(Of(order)))), "403 unauthorized");
}

TEST_F(AttestDrop, IsAnsweredWith503WhileKeysAreOutOfReach) {
  hardware_->keys_away = true;
  const AgentOrder order = Order(client_);
  const std::string response = HardwareResponse(Of(order));
  const auto away = Drop(order, response);
  EXPECT_EQ(away.status, 503);
  EXPECT_NE(fakes::HeaderOf(away, "Retry-After"), "");
  hardware_->keys_away = false;
  EXPECT_EQ(Drop(order, response).status, 200);
}

TEST_F(AttestDrop, FloodsFromOneAddressAreLimitedBeforeTheyCostAnything) {
  policy_.evidence_per_address_per_hour = 5;
  Serve();
  const AgentOrder order = Order(client_);
  const std::string guess = kBase + "/acme/drop/" + kName + "/" + ToBase64Url(Sha256(AsBytes("?")));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Open("POST", guess, "{}").status, 404);
  const int lookups = faults_.CallsOf("FindByDropKey");
  const auto limited = Open("POST", guess, "{}");
  EXPECT_EQ(Problem(limited), "429 rateLimited");
  EXPECT_NE(fakes::HeaderOf(limited, "Retry-After"), "");
  EXPECT_EQ(faults_.CallsOf("FindByDropKey"), lookups);
  EXPECT_EQ(Open("POST", order.drop, JwtResponse(Of(order)), "192.0.2.8").status, 200);
}

TEST_F(AttestDrop, VerificationsAreLimitedForAllTogether) {
  policy_.evidence_per_hour = 1;
  Serve();
  const AgentOrder order = Order(client_);
  EXPECT_EQ(Open("POST", order.drop, HardwareResponse({}), "192.0.2.8").status, 403);
  EXPECT_EQ(Open("POST", order.drop, HardwareResponse(Of(order)), "192.0.2.9").status, 429);
  EXPECT_EQ(hardware_->verified, 1);
}

TEST_F(AttestDrop, TakesNoOtherMediaTypeAndNothingTooLarge) {
  const AgentOrder order = Order(client_);
  http::Request request = Plain("POST", order.drop.substr(kBase.size()));
  request.headers = {{"Content-Type", "text/plain"}};
  request.body = JwtResponse(Of(order));
  request.remote_address = "192.0.2.7";
  EXPECT_EQ(service_->Handle(request).status, 415);
  EXPECT_EQ(Drop(order, std::string(128 * 1024 + 1, ' ')).status, 413);
  EXPECT_EQ(Open("DELETE", order.drop).status, 405);
  EXPECT_EQ(Text(Open("GET", order.drop), "status"), "pending");
}

TEST_F(AttestDrop, OfManyAtOnceExactlyOneIsKept) {
  const AgentOrder order = Order(client_);
  std::vector<std::string> responses;
  for (int i = 0; i < 8; ++i) responses.push_back(JwtResponse(Of(order)));
  std::atomic<int> kept{0};
  std::vector<std::thread> threads;
  for (const std::string& response : responses) {
    threads.emplace_back([&] { kept += Drop(order, response).status == 200 ? 1 : 0; });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(Attestations().size(), 1U);
}

}  // namespace
}  // namespace agentca::acme::testing
