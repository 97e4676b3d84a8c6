// Two nodes on one store: each a service with a backend of its own on one file. What one leaves in
// the middle the other finishes, and what one does too late is refused.
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "storage/sqlite.h"
#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using std::chrono::milliseconds;

struct OneFile {
  std::unique_ptr<storage::Backend> Open(const ca::NodeId& node) {
    return storage::OpenSqlite(shared_ / "ca.sqlite", storage::OpenMode::kCreate, {}, node).value();
  }
  fakes::TemporaryDirectory shared_;
};

// Verifications of node one wait here, then fail. Made before its service, and gone after it.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  Result<Proof> Wait() {
    ++waiting_;
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
    return Error{Code::kUnauthorized, "too late"};
  }
  int waiting() const { return waiting_; }

 private:
  std::mutex mutex_;  // guards open_
  std::condition_variable opened_;
  bool open_ = false;
  std::atomic<int> waiting_{0};
};
struct OneGate {
  Gate gate_;
};

// Node one is that of the fixture.
class ServiceNodes : private OneFile, protected OneGate, public ServiceTest {
 protected:
  ServiceNodes() : ServiceTest(Open("one")) {
    EXPECT_TRUE(backend_->leases().Enter(ca::kLeaseLife).ok());
    EXPECT_TRUE(backend2_->leases().Enter(ca::kLeaseLife).ok());
  }
  ~ServiceNodes() override { gate_.Open(); }

  // Clients talk to the other node from now on.
  void Switch() { std::swap(service_, service2_); }
  // Node one stands still for longer than its lease.
  void LoseLease() { ASSERT_TRUE(backend_->leases().Beat(milliseconds(1)).ok()); }
  bool TwoTakesOverUntil(const std::function<bool()>& done) {
    return fakes::Eventually([&] {
      EXPECT_TRUE(two().TakeOver().ok());
      return done();
    });
  }
  Service& two() { return switched() ? *service_ : *service2_; }
  bool switched() const { return service_.get() == two_; }

  // Begins a challenge at node one, where it hangs.
  std::string HangingAuthorization(Client& client) {
    *script_ = [this](const Evidence&) { return gate_.Wait(); };
    const auto created = NewOrder(client, {"a.example"});
    EXPECT_EQ(created.status, 201);
    const std::string url = Texts(created, "authorizations").at(0);
    EXPECT_EQ(Post(client, ChallengeUrl(url, "dns-01"), "{}").status, 200);
    EXPECT_TRUE(fakes::Eventually([&] { return gate_.waiting() == 1; }));
    return url;
  }

  const std::unique_ptr<storage::Backend> backend2_ = Open("two");
  fakes::FaultPlan faults2_;
  fakes::FaultyStore store2_{backend2_->acme(), faults2_};
  std::unique_ptr<ca::ChainedLog> audit2_ = ca::ChainedLog::Open(directory_ / "audit2.log").value();
  ca::Issuance issuance2_{*issuer_.issuer, backend2_->certificates(), *audit2_, random_, 1};
  ca::Revoker revoker2_{backend2_->certificates(), *audit2_};
  std::shared_ptr<ScriptedVerifier::Script> script2_ = std::make_shared<ScriptedVerifier::Script>();
  std::unique_ptr<Service> service2_ = MakeService(
      {store2_, backend2_->certificates(), *audit2_, nullptr}, issuance2_, revoker2_, script2_);
  const Service* const two_ = service2_.get();
};

TEST_F(ServiceNodes, AnyNodeServesAnyStepOfAFlow) {
  Client client = Register();
  Switch();
  const auto created = NewOrder(client, {"a.example"});
  ASSERT_EQ(created.status, 201) << created.body;
  Switch();
  const std::string authorization = Texts(created, "authorizations").at(0);
  ASSERT_EQ(Post(client, ChallengeUrl(authorization, "dns-01"), "{}").status, 200);
  Switch();
  const std::string order = fakes::HeaderOf(created, "Location");
  ASSERT_TRUE(Settles(client, order, "ready"));
  fakes::TestSigner key;
  const auto finalized = Finalize(client, order, fakes::MakeCsr(key, {"a.example"}));
  EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
  Switch();
  EXPECT_EQ(Get(client, Text(finalized, "certificate")).status, 200);
}

TEST_F(ServiceNodes, AKeyThatOneNodeChangedIsGoodAtTheOtherAtOnce) {
  Client client = Register();
  Switch();
  ASSERT_EQ(Get(client, client.kid).status, 200);  // it remembers the old key from now on
  Switch();
  Client changed{std::make_shared<fakes::TestSigner>(), client.kid};
  const std::string url = kBase + "/acme/key-change";
  const fakes::JwsHeader header{{"alg", R"("ES256")"},
                                {"jwk", fakes::JwkOf(changed.key->public_key())},
                                {"url", fakes::JsonQuoted(url)}};
  const fakes::JwsHeader payload{{"account", fakes::JsonQuoted(client.kid)},
                                 {"oldKey", fakes::JwkOf(client.key->public_key())}};
  ASSERT_EQ(Post(client, url, fakes::SignJws(*changed.key, fakes::HeaderJson(header),
                                             fakes::HeaderJson(payload)))
                .status,
            200);
  Switch();
  EXPECT_EQ(Get(changed, client.kid).status, 200);
  EXPECT_EQ(Problem(Get(client, client.kid)), "400 malformed");
}

TEST_F(ServiceNodes, AValidationOfADeadNodeIsFinishedByAnother) {
  Client client = Register();
  const std::string url = HangingAuthorization(client);
  Switch();
  ASSERT_TRUE(two().TakeOver().ok());
  EXPECT_EQ(Text(Get(client, url), "status"), "pending") << "node one lives";
  LoseLease();
  EXPECT_TRUE(TwoTakesOverUntil([&] { return Text(Get(client, url), "status") == "valid"; }));
  // Node one wakes up with another result, too late.
  gate_.Open();
  EXPECT_TRUE(fakes::Eventually([&] { return faults_.CallsOf("FinishChallenge") == 1; }));
  service2_.reset();  // finishes what is under way
  EXPECT_EQ(Text(Get(client, url), "status"), "valid");
}

TEST_F(ServiceNodes, AZombieThatIsFasterThanItsSuccessorIsRefusedAllTheSame) {
  Client client = Register();
  const std::string url = HangingAuthorization(client);
  std::promise<void> verified;
  *script2_ = [&](const Evidence& evidence) -> Result<Proof> {
    verified.get_future().wait();
    return Proof{{evidence.identifier}, std::nullopt};
  };
  Switch();
  LoseLease();
  EXPECT_TRUE(TwoTakesOverUntil([&] { return faults2_.CallsOf("ClaimChallenges") > 1; }));
  EXPECT_TRUE(TwoTakesOverUntil([&] {
    return backend_->acme().ClaimChallenges(ca::WorkScope::kOwnAndDead, 10)->empty();
  })) << "node two has it";
  gate_.Open();
  EXPECT_TRUE(fakes::Eventually([&] { return faults_.CallsOf("FinishChallenge") == 1; }));
  EXPECT_EQ(Text(Get(client, url), "status"), "pending");
  verified.set_value();
  EXPECT_TRUE(Settles(client, url, "valid"));
}

TEST_F(ServiceNodes, WhatANodeWorksOnItDoesNotBeginAgain) {
  Client client = Register();
  (void)HangingAuthorization(client);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(service_->TakeOver().ok());
  EXPECT_EQ(gate_.waiting(), 1);
}

TEST_F(ServiceNodes, AnAttemptThatBeganUnknownToAllIsTakenUp) {
  Client client = Register();
  const auto created = NewOrder(client, {"a.example"});
  const std::string url = Texts(created, "authorizations").at(0);
  const AuthorizationId id = url.substr((kBase + "/acme/authz/").size());
  // As if the driver had repeated it, and the repetition had found it begun.
  ASSERT_TRUE(store_.BeginChallenge(id, ChallengeType::kDns01, {}, clock_.Now()).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(service_->TakeOver().ok());
  EXPECT_TRUE(Settles(client, url, "valid"));
}

TEST_F(ServiceNodes, AClaimThatFailedIsMadeGood) {
  for (const auto when : {fakes::FailWhen::kBefore, fakes::FailWhen::kAfter}) {
    Client client = Register();
    const auto created = NewOrder(client, {"a.example"});
    const std::string url = Texts(created, "authorizations").at(0);
    const AuthorizationId id = url.substr((kBase + "/acme/authz/").size());
    ASSERT_TRUE(store_.BeginChallenge(id, ChallengeType::kDns01, {}, clock_.Now()).ok());
    ASSERT_TRUE(backend_->leases().Leave().ok());
    faults2_.Fail("ClaimChallenges", when);
    EXPECT_EQ(two().TakeOver().error().code, Code::kUnavailable);
    ASSERT_TRUE(two().TakeOver().ok());
    EXPECT_TRUE(Settles(client, url, "valid"));
  }
}

// The certificate is signed; before it is recorded the node stands still, and its order and its
// intent are settled by another.
TEST_F(ServiceNodes, AZombiesCertificateIsNotRecorded) {
  Client client = Register();
  const std::string order = ReadyOrder(client, {"a.example"});
  faults_.Before("CompleteOrder", [&] {
    LoseLease();
    const OrderId id = order.substr((kBase + "/acme/order/").size());
    EXPECT_TRUE(TwoTakesOverUntil([&] { return store2_.FindOrder(id)->order.error.has_value(); }));
    EXPECT_TRUE(ca::AbandonInterrupted(backend2_->certificates(), *audit2_, ca::WorkScope::kDead,
                                       clock_.Now())
                    .ok());
  });
  fakes::TestSigner key;
  const auto finalized = Finalize(client, order, fakes::MakeCsr(key, {"a.example"}));
  EXPECT_EQ(Text(finalized, "status"), "invalid") << finalized.body;
  const auto records = certificates_.List(ca::CertificateFilter{});
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(records->front().state, ca::SerialState::kAbandoned);
  EXPECT_TRUE(records->front().revocation) << "a signature exists";
  Switch();
  EXPECT_EQ(Text(Get(client, order), "status"), "invalid");
}

TEST_F(ServiceNodes, AnOrderThatIsValidStaysSoWhenItsNodeDies) {
  Client client = Register();
  fakes::TestSigner key;
  const std::string order = ReadyOrder(client, {"a.example"});
  faults_.Fail("CompleteOrder", fakes::FailWhen::kAfter);
  EXPECT_EQ(Text(Finalize(client, order, fakes::MakeCsr(key, {"a.example"})), "status"), "valid");
  ASSERT_TRUE(backend_->leases().Leave().ok());
  ASSERT_TRUE(two().TakeOver().ok());
  Switch();
  EXPECT_EQ(Text(Get(client, order), "status"), "valid");
}

}  // namespace
}  // namespace agentca::acme::testing
