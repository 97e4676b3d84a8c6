// A service that serves agents: sources of tokens that the tests sign themselves, and a format of
// evidence that says of itself what it proves.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/acme/service_fixture.h"
#include "tests/fakes/faulty_registry.h"
#include "tests/fakes/test_agent.h"

namespace agentca::acme::testing {

inline const std::string kZone = "agents.example.test";
inline const std::string kName = "planner.acme." + kZone;

// Stands for hardware, under the name "tpm": {"bound":"<b64url>","level":4,"claims":{…},…}. As a
// real one it is bound to what was expected, or stale.
class FakeHardware final : public attest::Format {
 public:
  struct Switches {
    std::atomic<bool> keys_away{false};
    std::atomic<int> verified{0};
  };
  explicit FakeHardware(std::shared_ptr<Switches> switches) : switches_(std::move(switches)) {}
  std::string_view name() const override { return "tpm"; }
  std::vector<std::string> Candidates(
      const attest::EvidenceStatement&,
      const std::vector<ca::EvidenceSource>& sources) const override {
    std::vector<std::string> names;
    for (const auto& source : sources) names.push_back(source.name);
    return names;
  }
  Result<attest::Attested> Verify(const attest::EvidenceStatement& statement, const attest::Trust&,
                                  const attest::Expectation& expectation) const override {
    ++switches_->verified;
    if (switches_->keys_away) return Error{Code::kUnavailable, "no collateral at 10.0.0.7"};
    AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(AsText(statement.evidence)));
    AGENTCA_ASSIGN(const std::string bound, document.root().String("bound"));
    if (bound != ToBase64Url(attest::BoundNonce(expectation))) {
      return attest::BadAttestation(attest::cause::kStaleNonce, "made for something else");
    }
    attest::Attested out;
    AGENTCA_ASSIGN(const auto level, document.root().OptionalInt("level"));
    out.level = static_cast<int>(level.value_or(4));
    out.key_bound = expectation.key != nullptr;
    out.proves_possession = true;
    out.claims["device"] = {"d1"};
    AGENTCA_ASSIGN(const auto image, document.root().OptionalString("image"));
    if (image) {
      out.claims["image"] = {*image};
      out.components = {{ca::ComponentKind::kImage, "sha256", ToBytes(Sha256(AsBytes(*image))),
                         ca::Basis::kAttested}};
    }
    return out;
  }

 private:
  const std::shared_ptr<Switches> switches_;
};

class AttestTest : public ServiceTest {
 protected:
  AttestTest() {
    PutSource("k8s", "jwt");
    PutSource("lab", "tpm");
    Serve();
  }
  ~AttestTest() override { service_.reset(); }  // its threads use what is declared here

  // As Restart, with agents; after a change of policy, too.
  void Serve() {
    std::vector<std::unique_ptr<attest::Format>> formats;
    formats.push_back(attest::MakeJwtFormat());
    formats.push_back(std::make_unique<FakeHardware>(hardware_));
    service_.reset();
    agents_ = std::make_shared<const Agents>(
        Agents{registry_, trust_, std::move(formats), fakes::TestNaming(),
               ca::IssuancePolicy::Make(raw_policy_).value(), std::string(fakes::kTestArc),
               agent_profile_, &annual_profile_});
    Restart();
  }

  void PutSource(const std::string& name, const std::string& format,
                 const std::string& tenant = "") {
    ca::EvidenceSource source;
    source.name = name;
    source.format = format;
    source.tenant = tenant;
    source.fixed_audience = format == "jwt" ? "https://fixed.example.test" : "";
    if (format == "jwt") {
      source.issuer = "https://issuer.example.test";
      source.jwks = R"({"keys":[)" + fakes::JwkOf(issuer_key_.public_key()) + "]}";
    } else {
      source.roots_pem = chain_pem_;
    }
    Put(source);
  }
  void Put(const ca::EvidenceSource& source) {
    const Status put = registry_.PutSource(source, by_);
    EXPECT_TRUE(put.ok()) << put.error().detail;
  }
  ca::EvidenceSource Source(const std::string& name) {
    const auto sources = registry_.ListSources();
    for (const auto& each : *sources) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << name;
    return {};
  }

  ca::Agent Enrol(ca::AgentClass agent_class = {}, const std::string& name = "planner",
                  const std::string& tenant = "acme") {
    ca::Agent agent = fakes::TestAgent();
    agent.id = {tenant, name};
    agent.agent_class = agent_class;
    agent.components.clear();
    agent.evidence = {{"k8s", {{"sub", "system:" + name}}}, {"lab", {{"device", "d1"}}}};
    return Add(agent);
  }
  ca::Agent Add(const ca::Agent& agent) {
    auto added = registry_.AddAgent(agent, by_);
    EXPECT_TRUE(added.ok()) << added.error().detail;
    return *added;
  }
  void Set(ca::AgentStatus status, const ca::AgentId& id = {"acme", "planner"}) {
    EXPECT_TRUE(registry_.SetAgentStatus(id, status, "for a test", by_).ok());
  }
  std::vector<AttestationRecord> Attestations() { return store_.ListAttestations({}).value(); }
  ca::Agent Registered(const ca::AgentId& id = {"acme", "planner"}) {
    return registry_.FindAgent(id).value();
  }

  // ---- Evidence ---------------------------------------------------------------------------------
  // Compact JWS with these claims beside iss, exp and aud.
  std::string Token(const std::string& audience, const std::string& subject = "system:planner",
                    const std::map<std::string, std::string>& more = {}) {
    const int64_t now = clock_.Now().time_since_epoch().count();
    std::map<std::string, std::string> claims{
        {"iss", fakes::JsonQuoted("https://issuer.example.test")},
        {"sub", fakes::JsonQuoted(subject)},
        {"aud", fakes::JsonQuoted(audience)},
        {"iat", std::to_string(now)},
        {"exp", std::to_string(now + 300)},
        {"jti", fakes::JsonQuoted("t" + std::to_string(++tokens_))}};
    for (const auto& [name, value] : more) claims[name] = value;
    return Sign(fakes::HeaderJson(claims));
  }
  std::string Sign(const std::string& claims) {
    const std::string input =
        ToBase64Url(AsBytes(R"({"alg":"ES256"})")) + "." + ToBase64Url(AsBytes(claims));
    return input + "." + ToBase64Url(fakes::SignForJws(issuer_key_, AsBytes(input)));
  }
  attest::Expectation Expected(const std::string& audience, const Sha256Digest& nonce,
                               fakes::TestSigner* key = nullptr) {
    attest::Expectation out;
    out.audience = audience;
    out.nonce = nonce;
    if (key != nullptr) out.key = &key->public_key();
    return out;
  }
  // The response with this evidence; with a key, `spki` and `pop`.
  std::string Response(const std::string& format, std::string_view evidence,
                       const attest::Expectation& expected, fakes::TestSigner* key = nullptr,
                       const std::string& more = "") {
    JsonWriter json;
    json.BeginObject().Member("fmt", format).Member("evidence", ToBase64Url(AsBytes(evidence)));
    if (key != nullptr) {
      json.Member("spki", ToBase64Url(key->public_key().spki()));
      json.Member("pop", ToBase64Url(key->Sign(attest::SignedMessage(expected)).value()));
    }
    json.EndObject();
    std::string text = std::move(json).Take();
    if (!more.empty()) text.insert(1, more + ",");
    return text;
  }
  std::string JwtResponse(const attest::Expectation& expected, fakes::TestSigner* key = nullptr,
                          const std::string& subject = "system:planner") {
    return Response("jwt", Token(attest::TokenAudience(expected), subject), expected, key);
  }
  std::string BearerResponse() { return Response("jwt", Token("https://fixed.example.test"), {}); }
  std::string HardwareResponse(const attest::Expectation& expected,
                               fakes::TestSigner* key = nullptr, int level = 4,
                               const std::string& image = "") {
    const std::string evidence = R"({"bound":")" + ToBase64Url(attest::BoundNonce(expected)) +
                                 R"(","level":)" + std::to_string(level) + R"(,"serial":)" +
                                 std::to_string(++tokens_) +
                                 (image.empty() ? "" : R"(,"image":")" + image + "\"") + "}";
    return Response("tpm", evidence, expected, key);
  }

  // ---- Orders -----------------------------------------------------------------------------------
  struct AgentOrder {
    std::string url, authorization, challenge, drop;
    Sha256Digest nonce{};
  };
  AgentOrder Order(Client& client, const std::string& name = kName) {
    const auto created = NewOrder(client, {name});
    EXPECT_EQ(created.status, 201) << created.body;
    AgentOrder order;
    order.url = fakes::HeaderOf(created, "Location");
    const auto authorizations = Texts(created, "authorizations");
    if (authorizations.size() != 1) {
      ADD_FAILURE() << created.body;
      return order;
    }
    order.authorization = authorizations.front();
    order.challenge = ChallengeUrl(order.authorization, "agent-attest-01");
    const std::string token = Text(Get(client, order.challenge), "token");
    order.nonce = Sha256(AsBytes(token + "." + Thumbprint(client.key->public_key())));
    order.drop = kBase + "/acme/drop/" + name + "/" + ToBase64Url(order.nonce);
    return order;
  }
  attest::Expectation Of(const AgentOrder& order, fakes::TestSigner* key = nullptr) {
    return Expected(order.challenge, order.nonce, key);
  }
  http::Response Open(const std::string& method, const std::string& url, std::string body = "",
                      const std::string& address = "192.0.2.7") {
    const std::string target = url.substr(kBase.size());
    const size_t mark = target.find('?');
    http::Request request = Plain(method, target.substr(0, mark));
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    if (method == "POST") request.headers = {{"Content-Type", "application/json"}};
    request.body = std::move(body);
    request.remote_address = address;
    return service_->Handle(request);
  }
  http::Response Drop(const AgentOrder& order, std::string body) {
    return Open("POST", order.drop, std::move(body));
  }
  // Answers the challenge and waits for the order.
  bool Proves(Client& client, const AgentOrder& order, const std::string& response) {
    const auto answered = Post(client, order.challenge, response);
    EXPECT_EQ(answered.status, 200) << answered.body;
    return Settles(client, order.url, "ready");
  }
  // The challenge fails; returns its error as "status type: detail".
  std::string Fails(Client& client, const AgentOrder& order, const std::string& response) {
    const auto answered = Post(client, order.challenge, response);
    if (answered.status != 200) return Problem(answered) + ": " + Text(answered, "detail");
    EXPECT_TRUE(Settles(client, order.challenge, "invalid"));
    return ErrorOf(Get(client, order.challenge));
  }
  static std::string ErrorOf(const http::Response& object) {
    const auto document = JsonDocument::Parse(object.body);
    const auto error = document.ok() ? document->root().Find("error") : std::nullopt;
    if (!error) return "no error: " + object.body;
    const std::string type = error->String("type").value();
    return type.substr(type.rfind(':') + 1) + ": " + error->String("detail").value();
  }
  // From order to certificate, with a key of its own that the evidence is bound to.
  ca::Certificate Certify(Client& client, fakes::TestSigner& key, int level = 4,
                          const std::string& image = "") {
    const AgentOrder order = Order(client);
    EXPECT_TRUE(Proves(client, order, HardwareResponse(Of(order, &key), &key, level, image)));
    const auto finalized = Finalize(client, order.url, fakes::MakeCsr(key, {kName}));
    EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
    return Issued(order);
  }
  ca::Certificate Issued(const AgentOrder& order) {
    const auto record = certificates_.FindByReference(IdOf(order));
    EXPECT_TRUE(record.ok());
    return ca::Certificate::Parse(record->der).value();
  }
  static OrderId IdOf(const AgentOrder& order) {
    return order.url.substr((kBase + "/acme/order/").size());
  }
  ca::AgentIdentity IdentityOf(const ca::Certificate& certificate) {
    return ca::AgentIdentityOf(certificate.der, fakes::kTestArc).value().value();
  }
  bool IsRevoked(const ca::Certificate& certificate) {
    return certificates_.Find(issuer_.issuer->id(), certificate.serial)->revocation.has_value();
  }
  // What the history says of drift, "" if nothing.
  std::string Drift() {
    std::string out;
    const auto history = registry_.AgentHistory({"acme", "planner"}, 0, 100);
    for (const auto& event : *history) {
      if (event.what == "drift") out += event.detail + "\n";
    }
    return out;
  }

  static ca::AgentClass Class(ca::Degree access, ca::Degree risk = ca::Degree::kLow,
                              ca::Lifespan lifespan = ca::Lifespan::kSession) {
    return {access, ca::Degree::kLow, risk, lifespan};
  }

  const ca::Change by_{"admin alice", clock_.Now()};
  fakes::FaultPlan registry_faults_;
  fakes::FaultyRegistry registry_{backend_->agents(), registry_faults_};
  attest::TrustBook trust_{registry_, [this](const ca::EvidenceSource&) -> Result<std::string> {
                             ++fetches_;
                             if (keys_away_) return Error{Code::kUnavailable, "no route"};
                             return R"({"keys":[)" + fakes::JwkOf(issuer_key_.public_key()) + "]}";
                           }};
  std::atomic<bool> keys_away_{false};
  std::atomic<int> fetches_{0};
  std::atomic<int> tokens_{0};
  fakes::TestSigner issuer_key_;
  std::shared_ptr<FakeHardware::Switches> hardware_ = std::make_shared<FakeHardware::Switches>();
  ca::RawPolicy raw_policy_ = ca::DefaultPolicy();
  ca::Profile agent_profile_ = fakes::AgentProfile();
  ca::Profile annual_profile_ = [] {
    ca::RawProfile raw = fakes::RawAgentProfile();
    raw.name = "annual-hsm";
    raw.lifetime_seconds = 365 * 86400;
    return ca::Profile::Make(raw).value();
  }();
};

}  // namespace agentca::acme::testing
