// Two nodes of a cluster, which share a store and the nonces in it (RFC 8555 §6.5).
#include <future>
#include <thread>

#include "tests/acme/service_fixture.h"
#include "tests/fakes/memory_nonces.h"

namespace agentca::acme::testing {
namespace {

using fakes::HeaderJson;
using fakes::HeaderOf;
using fakes::JsonQuoted;
using fakes::SignJws;

class Nodes : public ServiceTest {
 protected:
  Nodes() {
    Restart(service_);
    Restart(other_);
  }
  ~Nodes() override {
    service_.reset();
    other_.reset();
  }
  // Each with books of its own.
  void Restart(std::unique_ptr<Service>& service) {
    service.reset();
    nonces_ = std::make_shared<const NonceBooks>(SharedBooks(shared_, clock_, random_).value());
    service = MakeService(memory(), issuance_, revoker_, script_);
  }
  void Turn() { std::swap(service_, other_); }  // to the other node
  std::string Sign(Client& client, const std::string& url, const std::string& nonce) {
    fakes::JwsHeader header = Header(url, *client.key, client.kid);
    header["nonce"] = JsonQuoted(nonce);
    return SignJws(*client.key, HeaderJson(header), "");
  }

  fakes::MemoryNonces shared_;
  std::unique_ptr<Service> other_;
};

TEST_F(Nodes, ANonceOfOneIsSpentAtTheOther) {
  Client client = Register();
  const std::string body = Sign(client, client.kid, Nonce());
  Turn();
  const auto answered = PostRaw(client.kid, body);
  EXPECT_EQ(answered.status, 200) << answered.body;
  EXPECT_EQ(Problem(PostRaw(client.kid, body)), "400 badNonce");
  Turn();
  EXPECT_EQ(Problem(PostRaw(client.kid, body)), "400 badNonce");
  EXPECT_EQ(
      PostRaw(client.kid, Sign(client, client.kid, HeaderOf(answered, "Replay-Nonce"))).status,
      200);
}

TEST_F(Nodes, ANonceOutlivesTheNodeThatMintedIt) {
  Client client = Register();
  const std::string body = Sign(client, client.kid, Nonce());
  Restart(service_);
  EXPECT_EQ(PostRaw(client.kid, body).status, 200);
}

TEST_F(Nodes, AfterACrashOfTheStoreTheSecondTrySucceeds) {
  Client client = Register();
  const std::string body = Sign(client, client.kid, Nonce());
  shared_.Crash();
  const auto refused = PostRaw(client.kid, body);
  EXPECT_EQ(Problem(refused), "400 badNonce");
  const std::string fresh = HeaderOf(refused, "Replay-Nonce");
  Turn();
  EXPECT_EQ(PostRaw(client.kid, Sign(client, client.kid, fresh)).status, 200);
}

TEST_F(Nodes, AStoreThatIsAwayIs503AndNotBadNonce) {
  Client client = Register();
  const std::string body = Sign(client, client.kid, Nonce());
  shared_.faults().FailAll(Error{Code::kUnavailable, "10.0.0.7:5432"});
  const auto response = PostRaw(client.kid, body);
  EXPECT_EQ(Problem(response), "503 serverInternal");
  EXPECT_NE(HeaderOf(response, "Retry-After"), "");
  EXPECT_EQ(response.body.find("10.0"), std::string::npos);
  const std::string fresh = HeaderOf(response, "Replay-Nonce");
  shared_.faults().FailAll(std::nullopt);
  EXPECT_EQ(PostRaw(client.kid, body).status, 200);
  EXPECT_EQ(PostRaw(client.kid, Sign(client, client.kid, fresh)).status, 200);
}

TEST_F(Nodes, NoThreadOfTheNetworkWaitsForAStoreThatHangs) {
  Client client = Register();
  const std::string body = Sign(client, client.kid, Nonce());
  http::Request look = Plain("POST", client.kid.substr(kBase.size()));
  look.headers = {{"Content-Type", "application/jose+json"}};
  look.body = Sign(client, client.kid, Nonce());
  std::promise<void> reached, go_on;
  shared_.faults().Before("SpendNonces", [&] {
    reached.set_value();
    go_on.get_future().wait();
  });
  int status = 0;
  std::thread worker([&] { status = PostRaw(client.kid, body).status; });
  reached.get_future().wait();

  EXPECT_FALSE(service_->HandleFast(look).has_value());
  const auto minted = service_->HandleFast(Plain("HEAD", "/acme/new-nonce"));
  const auto refused = service_->Refuse(503, "busy");

  go_on.set_value();
  worker.join();
  EXPECT_EQ(status, 200);
  ASSERT_TRUE(minted.has_value());
  for (const auto& response : {*minted, refused}) {
    const std::string nonce = HeaderOf(response, "Replay-Nonce");
    EXPECT_EQ(PostRaw(client.kid, Sign(client, client.kid, nonce)).status, 200);
  }
}

}  // namespace
}  // namespace agentca::acme::testing
