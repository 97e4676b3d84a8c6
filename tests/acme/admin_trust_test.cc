// Sources, rules, approvals, attestations and administrators through the admin API.
#include "acme/admin/agent_json.h"
#include "acme/admin/trust_json.h"
#include "ca/openssl.h"
#include "tests/acme/admin_fixture.h"
#include "tests/fakes/acme_objects.h"
#include "tests/fakes/agents.h"

namespace agentca::acme::admin::testing {
namespace {

template <class T>
std::string JsonOf(const T& item, void (*write)(JsonWriter&, const T&)) {
  JsonWriter json;
  write(json, item);
  return std::move(json).Take();
}

// ---- Shapes -------------------------------------------------------------------------------------

TEST(AdminJson, EveryFieldOfAnAgentSurvivesTheWay) {
  ca::Agent agent = fakes::FullAgent();
  agent.evidence[0].claims.pop_back();  // one pattern a claim: that is all JSON can say
  agent.status = ca::AgentStatus::kSuspended;
  agent.admitted_by = "fleet";
  agent.version = 7;
  agent.created_at = fakes::ManualClock().Now();
  agent.changed_at = agent.created_at + Seconds(5);
  const std::string text = JsonOf(agent, &WriteAgent);
  const auto read = ReadAgent(JsonDocument::Parse(text).value().root());
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(JsonOf(*read, &WriteAgent), text);
  EXPECT_EQ(read->evidence, agent.evidence);
  EXPECT_EQ(read->components, agent.components);
  EXPECT_EQ(read->max_depth, agent.max_depth);
  EXPECT_EQ(read->changed_at, agent.changed_at);
}

TEST(AdminJson, EveryFieldOfASourceAndARuleSurvivesTheWay) {
  for (const auto& source : {fakes::TokenSource(), fakes::FullSource()}) {
    const auto document = JsonDocument::Parse(JsonOf(source, &WriteSource));
    ASSERT_TRUE(document.ok());
    const auto read = ReadSource(document->root());
    ASSERT_TRUE(read.ok()) << read.error().detail;
    EXPECT_EQ(*read, source);
  }
  const auto rule = fakes::FleetRule();
  const auto read = ReadRule(JsonDocument::Parse(JsonOf(rule, &WriteRule)).value().root());
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(*read, rule);
}

TEST(AdminJson, AnEventSurvivesTheWay) {
  const ca::AgentEvent event{4, {"acme", "web"}, fakes::ManualClock().Now(), "a", "drift", "d"};
  const std::string text = JsonOf(event, &WriteEvent);
  const auto read = ReadEvent(JsonDocument::Parse(text).value().root());
  ASSERT_TRUE(read.ok()) << read.error().detail;
  EXPECT_EQ(JsonOf(*read, &WriteEvent), text);
}

TEST(AdminJson, AKeySetKeepsItsMembersAndRefusesFractions) {
  const std::string keys = R"({"keys":[{"kty":"EC","n":1,"x":[true,null,{"a":"\"b\""}]}]})";
  const auto read = ReadSource(
      JsonDocument::Parse(R"({"name":"a","format":"jwt","jwks":)" + keys + "}").value().root());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->jwks, keys);
  EXPECT_FALSE(
      ReadSource(
          JsonDocument::Parse(R"({"name":"a","format":"jwt","jwks":{"a":1.5}})").value().root())
          .ok());
}

// ---- Sources and rules --------------------------------------------------------------------------

class AdminTrust : public AdminTest {
 protected:
  void PutSource() {
    const auto put = Ask("PUT", "/sources/k8s", JsonOf(fakes::TokenSource(), &WriteSource));
    ASSERT_EQ(put.status, 200) << put.body;
  }
};

TEST_F(AdminTrust, SourcesAndRulesComeAndGoInOrder) {
  const std::string rule = JsonOf(fakes::FleetRule(), &WriteRule);
  EXPECT_EQ(Ask("PUT", "/rules/fleet", rule).status, 400) << "the source is not there yet";
  PutSource();
  EXPECT_EQ(Ask("PUT", "/rules/fleet", rule).status, 200);
  EXPECT_EQ(Ask("GET", "/rules").body, R"({"rules":[)" + rule + "]}");
  EXPECT_EQ(Ask("DELETE", "/sources/k8s").status, 409);
  EXPECT_EQ(Ask("DELETE", "/rules/fleet").status, 204);
  EXPECT_EQ(Ask("DELETE", "/rules/fleet").status, 404);
  EXPECT_EQ(Ask("DELETE", "/sources/k8s").status, 204);
  EXPECT_EQ(Ask("GET", "/sources").body, R"({"sources":[]})");
  const auto history = Ask("GET", "/trust/history");
  EXPECT_NE(history.body.find(R"("by":"admin alice","what":"rule removed")"), std::string::npos)
      << history.body;
  for (const char* event : {"source-put", "rule-put", "rule-remove", "source-remove",
                            "source-remove-failed", "rule-remove-failed", "rule-put-failed"})
    EXPECT_NE(AuditText().find("\"event\":\"" + std::string(event) + "\""), std::string::npos)
        << event;
}

TEST_F(AdminTrust, TheNameOfTheBodyMustBeThatOfThePath) {
  EXPECT_EQ(Ask("PUT", "/sources/other", JsonOf(fakes::TokenSource(), &WriteSource)).status, 400);
  PutSource();
  EXPECT_EQ(Ask("PUT", "/rules/other", JsonOf(fakes::FleetRule(), &WriteRule)).status, 400);
}

TEST_F(AdminTrust, WhatTheCheckOfKeysRefusesIsNotStored) {
  source_verdict_ = Error{Code::kMalformed, "jwks: holds no key"};
  const auto refused = Ask("PUT", "/sources/k8s", JsonOf(fakes::TokenSource(), &WriteSource));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(Text(refused, "detail"), "jwks: holds no key");
  EXPECT_EQ(Ask("GET", "/sources").body, R"({"sources":[]})");
}

TEST_F(AdminTrust, BadSourcesAndRulesNameTheirMember) {
  for (const char* body :
       {R"({"name":"k8s"})", R"({"name":"k8s","format":"jwt","maxLevel":5})",
        R"({"name":"k8s","format":"jwt","jwks":"x"})", R"({"name":"k8s","format":"jwt","jwk":{}})",
        R"({"name":"k8s","format":"jwt","required":[]})"})
    EXPECT_EQ(Ask("PUT", "/sources/k8s", body).status, 400) << body;
  const auto rule = Ask("PUT", "/rules/fleet",
                        R"({"name":"fleet","source":"k8s","tenant":"a",)"
                        R"("agent":"b","sponsor":"s"})");
  EXPECT_NE(Text(rule, "detail").find("\"class\""), std::string::npos) << rule.body;
}

// ---- Approvals ----------------------------------------------------------------------------------

class AdminApprovals : public AdminTest {
 protected:
  // An order that waits for a human, as finalize leaves it.
  OrderId Waiting() {
    Register("web");
    const ca::Agent agent = backend_->agents().FindAgent({"acme", "web"}).value();
    const Account account = objects_.NewAccount();
    EXPECT_TRUE(store_.CreateAccount({account}).ok());
    const auto request = objects_.NewAgentOrder(account, naming_.DnsNameOf(agent.id));
    EXPECT_TRUE(store_.CreateOrder(request).ok());
    const auto& authorization = request.authorizations.front();
    EXPECT_TRUE(
        store_.BeginChallenge(authorization.id, ChallengeType::kAgentAttest01, "{}", clock_.Now())
            .ok());
    const Attestation attestation = objects_.NewAttestation(agent);
    EXPECT_TRUE(store_
                    .FinishChallenge(authorization.id,
                                     Proof{{authorization.identifier}, attestation}, clock_.Now())
                    .ok());
    const FinalizeGuard guard{.agent = agent.id,
                              .agent_version = agent.version,
                              .verified_after = clock_.Now() - Seconds(60)};
    const Approval approval{.agent = agent.id,
                            .csr = {1},
                            .asked_at = clock_.Now(),
                            .decided_by = {},
                            .reason = {},
                            .decided_at = {}};
    const Status asked = store_.AskApproval(request.order.id, approval, guard, clock_.Now());
    EXPECT_TRUE(asked.ok()) << asked.error().detail;
    return request.order.id;
  }
  fakes::AcmeObjects objects_;
};

TEST_F(AdminApprovals, AHumanDecidesOnceAndIsRecorded) {
  const OrderId id = Waiting();
  EXPECT_NE(Ask("GET", "/approvals").body.find(R"("order":")" + id + "\""), std::string::npos);
  EXPECT_NE(Ask("GET", "/status").body.find(R"("waitingApprovals":1)"), std::string::npos);
  const auto carol = Certify(Role::kOperator, "carol");
  const auto granted =
      Ask(carol.der, "POST", "/approvals/" + id + "/grant", R"({"reason":"reviewed"})");
  ASSERT_EQ(granted.status, 200) << granted.body;
  EXPECT_EQ(Text(granted, "decision"), "granted");
  EXPECT_EQ(Text(granted, "decidedBy"), "operator carol");
  EXPECT_EQ(decided_, std::vector<OrderId>{id});
  EXPECT_EQ(Ask("POST", "/approvals/" + id + "/deny", R"({"reason":"no"})").status, 409);
  EXPECT_EQ(decided_.size(), 1u);
  EXPECT_EQ(Ask("GET", "/approvals").body, R"({"approvals":[]})");
  EXPECT_NE(Ask("GET", "/approvals?all=1").body.find("granted"), std::string::npos);
  EXPECT_NE(AuditText().find(R"("event":"approval-grant","by":"operator carol")"),
            std::string::npos);
}

TEST_F(AdminApprovals, ADecisionThatTheStoreDidNotTakeTellsNobody) {
  const OrderId id = Waiting();
  faults_.Fail("DecideApproval", fakes::FailWhen::kBefore);
  EXPECT_EQ(Ask("POST", "/approvals/" + id + "/deny", R"({"reason":"no"})").status, 503);
  EXPECT_TRUE(decided_.empty());
  EXPECT_NE(AuditText().find("approval-deny-failed"), std::string::npos);
  EXPECT_EQ(Ask("POST", "/approvals/" + id + "/deny", R"({"reason":"no"})").status, 200);
}

TEST_F(AdminApprovals, AnOrderThatAsksForNothingIsNotFound) {
  EXPECT_EQ(Ask("POST", "/approvals/none/grant", R"({"reason":"r"})").status, 404);
  const Account account = objects_.NewAccount();
  ASSERT_TRUE(store_.CreateAccount({account}).ok());
  const auto plain = objects_.NewOrder(account.id, "a.test");
  ASSERT_TRUE(store_.CreateOrder(plain).ok());
  EXPECT_EQ(Ask("POST", "/approvals/" + plain.order.id + "/grant", R"({"reason":"r"})").status,
            404);
  EXPECT_EQ(Ask("POST", "/approvals/none/grant", R"({})").status, 400);
  EXPECT_EQ(Ask("GET", "/approvals?all=yes").status, 400);
}

TEST_F(AdminApprovals, AttestationsAreListedWithTheirClaims) {
  Waiting();
  const auto all = Ask("GET", "/attestations");
  EXPECT_NE(all.body.find(R"("sub":["system:serviceaccount:prod:web"])"), std::string::npos)
      << all.body;
  EXPECT_EQ(Ask("GET", "/attestations?agent=acme%2Fweb").body, all.body);
  EXPECT_EQ(Ask("GET", "/agents/acme/web/attestations").body, all.body);
  EXPECT_EQ(Ask("GET", "/attestations?agent=acme%2Fother").body, R"({"attestations":[]})");
  EXPECT_EQ(Ask("GET", "/attestations?agent=nonsense").status, 400);
}

// ---- Administrators -----------------------------------------------------------------------------

class AdminAdmins : public AdminTest {
 protected:
  static std::string CsrPem(const std::string& common_name = "dora") {
    const ca::openssl::PkeyPtr key = fakes::GenerateKey(fakes::TestKey::kP256);
    const ca::openssl::X509ReqPtr request(X509_REQ_new());
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
    X509_REQ_set_pubkey(request.get(), key.get());
    X509_REQ_sign(request.get(), key.get(), EVP_sha256());
    return ToPem("CERTIFICATE REQUEST", ca::openssl::Encode(i2d_X509_REQ, request.get()));
  }
  http::Response Add(const std::string& role, const std::string& name, const std::string& csr) {
    JsonWriter json;
    json.BeginObject().Member("role", role).Member("name", name).Member("csr", csr).EndObject();
    return Ask("POST", "/admins", std::move(json).Take());
  }
};

TEST_F(AdminAdmins, GetACertificateThatOpensWhatTheirRoleMay) {
  const auto added = Add("auditor", "dora", CsrPem("root"));
  ASSERT_EQ(added.status, 201) << added.body;
  const auto serial = ca::Serial::FromHex(Text(added, "serial")).value();
  const Bytes der = certificates_.Find(issuer_.issuer->id(), serial)->der;
  EXPECT_EQ(AdministratorOf(der, "example.test").value(), (Administrator{Role::kAuditor, "dora"}));
  EXPECT_TRUE(Text(added, "certificate").starts_with(ToPem("CERTIFICATE", der)));
  EXPECT_EQ(Ask(der, "GET", "/agents").status, 200);
  EXPECT_EQ(Ask(der, "POST", "/agents", AgentBody("web")).status, 403);
  EXPECT_NE(AuditText().find(R"("event":"admin-add")"), std::string::npos);
}

TEST_F(AdminAdmins, NeedANameARoleAndASoundRequest) {
  EXPECT_EQ(Add("root", "dora", CsrPem()).status, 400);
  EXPECT_EQ(Add("admin", "Dora", CsrPem()).status, 400);
  EXPECT_EQ(Add("admin", "a/b", CsrPem()).status, 400);
  EXPECT_EQ(Add("admin", "dora", "rubbish").status, 400);
  EXPECT_EQ(Add("admin", "dora", ToPem("CERTIFICATE REQUEST", Bytes{1, 2, 3})).status, 400);
  EXPECT_EQ(Add("admin", "dora", ToPem("CERTIFICATE", admin_.der)).status, 400);
}

}  // namespace
}  // namespace agentca::acme::admin::testing
