// A whole acme::Service over the memory backend, with faults, and clients that talk to it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "acme/service.h"
#include "storage/memory.h"
#include "tests/fakes/acme_client.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::acme::testing {

inline const std::string kBase = "https://ca.example.test";

// Answers as its script says; by default every challenge is proven.
class ScriptedVerifier final : public Verifier {
 public:
  using Script = std::function<Result<Proof>(const Evidence&)>;
  ScriptedVerifier(std::string name, std::shared_ptr<Script> script)
      : name_(std::move(name)), script_(std::move(script)) {}
  std::string_view name() const override { return name_; }
  Result<Proof> Verify(const Evidence& evidence) const override {
    if (*script_) return (*script_)(evidence);
    return Proof{{evidence.identifier}, std::nullopt};
  }

 private:
  const std::string name_;
  const std::shared_ptr<Script> script_;  // set before the service starts a validation
};

class SwitchableKeys final : public ca::KeyProvider {
 public:
  Result<std::unique_ptr<ca::Signer>> Open(std::string_view) override {
    return Error{Code::kNotFound, "no key is opened here"};
  }
  bool Healthy() const override { return healthy_; }
  void SetHealthy(bool healthy) { healthy_ = healthy; }

 private:
  std::atomic<bool> healthy_{true};
};

// A request without body or headers.
inline http::Request Plain(std::string method, std::string path) {
  http::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() : ServiceTest(storage::MakeMemoryBackend()) {}
  explicit ServiceTest(std::unique_ptr<storage::Backend> backend) : backend_(std::move(backend)) {
    Restart();
  }

  // A new process on the same storage.
  void Restart() {
    service_.reset();
    service_ = MakeService({store_, certificates_, *audit_}, issuance_, revoker_, script_);
  }
  std::unique_ptr<Service> MakeService(Memory memory, const ca::Issuance& issuance,
                                       ca::Revoker& revoker,
                                       const std::shared_ptr<ScriptedVerifier::Script>& script) {
    std::vector<std::unique_ptr<Verifier>> verifiers;
    for (const char* name : {"http-01", "dns-01", "tls-alpn-01"}) {
      verifiers.push_back(std::make_unique<ScriptedVerifier>(name, script));
    }
    return std::make_unique<Service>(
        memory,
        Authority{issuance, profile_, keys_, revoker, [this] { ++revocations_; }, {chain_pem_},
                  agents_},
        World{clock_, random_}, std::move(verifiers), policy_, Links(kBase), validation_);
  }

  std::string Nonce() {
    return fakes::HeaderOf(service_->Handle(Plain("HEAD", "/acme/new-nonce")), "Replay-Nonce");
  }
  http::Response PostRaw(const std::string& url, std::string body) {
    const std::string target = url.substr(kBase.size());
    const size_t mark = target.find('?');
    http::Request request = Plain("POST", target.substr(0, mark));
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.headers = {{"Content-Type", "application/jose+json"}};
    request.body = std::move(body);
    request.remote_address = "192.0.2.1";
    return service_->Handle(request);
  }
  fakes::JwsHeader Header(const std::string& url, fakes::TestSigner& key, const std::string& kid) {
    fakes::JwsHeader header{
        {"alg", fakes::JsonQuoted(fakes::AlgorithmNameOf(key.public_key().type()))},
        {"url", fakes::JsonQuoted(url)},
        {"nonce", fakes::JsonQuoted(Nonce())}};
    if (kid.empty()) {
      header["jwk"] = fakes::JwkOf(key.public_key());
    } else {
      header["kid"] = fakes::JsonQuoted(kid);
    }
    return header;
  }

  struct Client {
    std::shared_ptr<fakes::TestSigner> key = std::make_shared<fakes::TestSigner>();
    std::string kid{};
  };
  http::Response Post(Client& client, const std::string& url, std::string_view payload) {
    const auto header = Header(url, *client.key, client.kid);
    return PostRaw(url, fakes::SignJws(*client.key, fakes::HeaderJson(header), payload));
  }
  http::Response Get(Client& client, const std::string& url) { return Post(client, url, ""); }

  Client Register(std::shared_ptr<fakes::TestSigner> key = std::make_shared<fakes::TestSigner>()) {
    Client client{std::move(key)};
    const auto response =
        Post(client, kBase + "/acme/new-account", R"({"termsOfServiceAgreed":true})");
    EXPECT_EQ(response.status, 201) << response.body;
    client.kid = fakes::HeaderOf(response, "Location");
    return client;
  }
  http::Response NewOrder(Client& client, const std::vector<std::string>& names) {
    JsonWriter json;
    json.BeginObject().Key("identifiers").BeginArray();
    for (const std::string& name : names) {
      json.BeginObject().Member("type", "dns").Member("value", name).EndObject();
    }
    json.EndArray().EndObject();
    return Post(client, kBase + "/acme/new-order", std::move(json).Take());
  }

  // Readers of response bodies; they fail the test when a member is not there.
  static std::string Text(const http::Response& response, std::string_view member) {
    const auto document = JsonDocument::Parse(response.body);
    if (!document.ok()) return "no JSON: " + response.body;
    const auto value = document->root().String(member);
    return value.ok() ? *value : "no member: " + response.body;
  }
  static bool Has(const http::Response& response, std::string_view member) {
    const auto document = JsonDocument::Parse(response.body);
    return document.ok() && document->root().Find(member).has_value();
  }
  static std::vector<std::string> Texts(const http::Response& response, std::string_view member) {
    const auto document = JsonDocument::Parse(response.body);
    if (!document.ok()) return {};
    auto value = document->root().OptionalStrings(member);
    return value.ok() && *value ? **value : std::vector<std::string>();
  }
  static std::string Problem(const http::Response& response) {
    static const std::string kPrefix = "urn:ietf:params:acme:error:";
    const std::string type = Text(response, "type");
    return std::to_string(response.status) + " " +
           (type.starts_with(kPrefix) ? type.substr(kPrefix.size()) : type);
  }
  static std::string ChallengeUrl(const std::string& authorization, const std::string& type) {
    const std::string prefix = kBase + "/acme/authz/";
    return kBase + "/acme/challenge/" + authorization.substr(prefix.size()) + "/" + type;
  }

  bool Settles(Client& client, const std::string& url, const std::string& status) {
    return fakes::Eventually([&] { return Text(Get(client, url), "status") == status; });
  }
  // Proves every authorization; returns the order's URL.
  std::string ReadyOrder(Client& client, const std::vector<std::string>& names) {
    const auto created = NewOrder(client, names);
    EXPECT_EQ(created.status, 201) << created.body;
    for (const std::string& url : Texts(created, "authorizations")) {
      EXPECT_EQ(Post(client, ChallengeUrl(url, "dns-01"), "{}").status, 200);
    }
    const std::string url = fakes::HeaderOf(created, "Location");
    EXPECT_TRUE(Settles(client, url, "ready"));
    return url;
  }
  http::Response Finalize(Client& client, const std::string& order, const Bytes& csr) {
    return Post(client, order + "/finalize", R"({"csr":")" + ToBase64Url(csr) + R"("})");
  }
  // The DER certificate of a new order for these names.
  ca::Certificate Obtain(Client& client, const std::vector<std::string>& names,
                         fakes::TestSigner& key) {
    const std::string order = ReadyOrder(client, names);
    const auto finalized = Finalize(client, order, fakes::MakeCsr(key, names));
    EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
    const OrderId id = order.substr((kBase + "/acme/order/").size());
    const auto record = certificates_.FindByReference(id);
    EXPECT_TRUE(record.ok());
    return ca::Certificate::Parse(record->der).value();
  }

  fakes::ManualClock clock_;
  OpenSslRandom random_;
  fakes::FaultPlan faults_;
  const std::unique_ptr<storage::Backend> backend_;
  fakes::FaultyStore store_{backend_->acme(), faults_};
  fakes::FaultyCertificateStore certificates_{backend_->certificates(), faults_};
  fakes::TemporaryDirectory directory_;
  std::unique_ptr<ca::ChainedLog> audit_ = ca::ChainedLog::Open(directory_ / "audit.log").value();
  fakes::TestIssuer issuer_ = fakes::MakeIssuer();
  ca::Profile profile_ = fakes::ServerProfile();
  ca::Issuance issuance_{*issuer_.issuer, certificates_, *audit_, random_, 1};
  ca::Revoker revoker_{certificates_, *audit_};
  SwitchableKeys keys_;
  const std::string chain_pem_ = ToPem("CERTIFICATE", issuer_.issuer->certificate().der);
  std::atomic<int> revocations_{0};
  std::shared_ptr<ScriptedVerifier::Script> script_ = std::make_shared<ScriptedVerifier::Script>();
  std::shared_ptr<const Agents> agents_;  // null unless a fixture serves some
  Policy policy_;
  ValidationOptions validation_{
      .threads = 2, .queue = 64, .attempts = 3, .retry_delay = std::chrono::milliseconds(1)};
  std::unique_ptr<Service> service_;  // last: uses the rest
};

}  // namespace agentca::acme::testing
