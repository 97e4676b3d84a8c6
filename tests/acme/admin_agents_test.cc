// Agents through the admin API: registration, change, endings.
#include <thread>

#include "tests/acme/admin_fixture.h"

namespace agentca::acme::admin::testing {
namespace {

class AdminAgents : public AdminTest {
 protected:
  std::string Fault(const std::string& body) {
    const auto response = Ask("POST", "/agents", body);
    EXPECT_EQ(response.status, 400) << response.body;
    return Text(response, "detail");
  }
  bool IsLive(const ca::Certificate& certificate) {
    return !backend_->certificates()
                .StatusOf(issuer_.issuer->id(), certificate.serial)
                .value()
                .revocation;
  }
  const ca::AgentId web_{"acme", "web"};
};

TEST_F(AdminAgents, AreRegisteredAndReadBack) {
  const auto added = Ask("POST", "/agents", AgentBody("web", R"(,"scopes":["read"],"maxDepth":2)"));
  ASSERT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(Header(added, "Location"), "/admin/v1/agents/acme/web");
  EXPECT_EQ(Header(added, "ETag"), "\"1\"");
  const auto read = Ask("GET", "/agents/acme/web");
  EXPECT_EQ(read.body, added.body);
  EXPECT_NE(read.body.find(R"("maxDepth":2,"status":"active")"), std::string::npos) << read.body;
  EXPECT_EQ(Ask("POST", "/agents", AgentBody("web")).status, 409);
  EXPECT_NE(AuditText().find(R"("event":"agent-add","by":"admin alice")"), std::string::npos)
      << AuditText();
}

TEST_F(AdminAgents, ABadBodyNamesItsMemberAndChangesNothing) {
  EXPECT_NE(Fault(AgentBody("web", R"(,"sponsr":"x")")).find("\"sponsr\""), std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"scopes":"read")")).find("\"scopes\""), std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"maxDepth":-1)")).find("\"maxDepth\""), std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"evidence":[{"source":"s"},{"claims":{}}])"))
                .find("evidence[1]: member \"source\""),
            std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"evidence":[{"source":"s","claims":{"a":1}}])"))
                .find("evidence[0]: claims: "),
            std::string::npos);
  EXPECT_NE(
      Fault(AgentBody("web",
                      R"(,"components":[{"kind":"brain","hashAlgorithm":"sha256","digest":"00"}])"))
          .find("components[0]: kind: "),
      std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"version":3)")).find("version"), std::string::npos);
  EXPECT_NE(Fault(AgentBody("web", R"(,"status":"suspended")")).find("status"), std::string::npos);
  EXPECT_NE(Fault(AgentBody("Web")).find("name"), std::string::npos);
  EXPECT_NE(Fault(R"({"tenant":"acme","name":"web","sponsor":"s"})").find("\"class\""),
            std::string::npos);
  EXPECT_NE(Fault(R"({"tenant":"acme","name":"web","sponsor":"s","class":{"access":"low"}})")
                .find("class: member \"decision\""),
            std::string::npos);
  EXPECT_NE(Fault("[]").find("object"), std::string::npos);
  EXPECT_NE(Fault("{").find("octet"), std::string::npos);
  EXPECT_FALSE(Fault(R"({"tenant":"a","tenant":"b"})").empty());
  EXPECT_NE(Fault(std::string(100, '[') + std::string(100, ']')).find("nested"), std::string::npos);
  EXPECT_EQ(Ask("POST", "/agents", std::string(200'000, ' ')).status, 413);
  EXPECT_EQ(Ask("GET", "/agents").body, R"({"agents":[]})");
}

TEST_F(AdminAgents, ABodyOfAnotherTypeIsRefused) {
  http::Request request;
  request.method = "POST";
  request.path = "/admin/v1/agents";
  request.body = AgentBody("web");
  request.peer_certificate = admin_.der;
  EXPECT_EQ(service_.Handle(request).status, 415);
}

TEST_F(AdminAgents, ABodyThatWasReadCanBePutBack) {
  Register("web");
  auto body = Ask("GET", "/agents/acme/web").body;
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body).status, 200);
  body.replace(body.find("\"purpose\":\"\""), 12, "\"purpose\":\"p\"");
  const auto changed = Ask("PUT", "/agents/acme/web", body);
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(Text(changed, "purpose"), "p");
  EXPECT_EQ(Header(changed, "ETag"), "\"2\"");
}

TEST_F(AdminAgents, AChangeNeedsThePresentVersion) {
  Register("web");
  const std::string body = AgentBody("web", R"(,"purpose":"p")");
  const auto unsaid = Ask("PUT", "/agents/acme/web", body);
  EXPECT_EQ(unsaid.status, 400);
  EXPECT_NE(Text(unsaid, "detail").find("version"), std::string::npos);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body, "\"2\"").status, 409);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body, "*").status, 400);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body, "\"1").status, 400);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body, "\"1\"").status, 200);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", body, "\"1\"").status, 409);
  EXPECT_EQ(Ask("PUT", "/agents/acme/web", AgentBody("web", R"(,"version":1)"), "\"2\"").status,
            400);
  EXPECT_EQ(Ask("PUT", "/agents/acme/other", body, "\"1\"").status, 400);
  EXPECT_EQ(Ask("PUT", "/agents/acme/none", AgentBody("none"), "\"1\"").status, 404);
}

TEST_F(AdminAgents, OfParallelChangesOneWins) {
  Register("web");
  std::atomic<int> won{0}, lost{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const auto response =
          Ask("PUT", "/agents/acme/web",
              AgentBody("web", R"(,"purpose":"p)" + std::to_string(i) + "\""), "\"1\"");
      ++(response.status == 200 ? won : lost);
      EXPECT_TRUE(response.status == 200 || response.status == 409) << response.body;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 7);
}

TEST_F(AdminAgents, AreListedByPages) {
  for (const char* name : {"a", "b", "c"}) Register(name);
  const auto first = Ask("GET", "/agents?limit=2");
  EXPECT_EQ(Text(first, "next"), "acme/b");
  const auto second = Ask("GET", "/agents?limit=2&after=acme%2Fb");
  EXPECT_NE(second.body.find(R"("name":"c")"), std::string::npos) << second.body;
  EXPECT_EQ(second.body.find("next"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/agents?tenant=other").body, R"({"agents":[]})");
  EXPECT_EQ(Ask("GET", "/agents?status=retired").body, R"({"agents":[]})");
}

TEST_F(AdminAgents, ABadQueryIsRefused) {
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "limt=1", "limit=1&limit=2",
                            "status=dead", "after=%2", "after=%zz", "after=nonsense"})
    EXPECT_EQ(Ask("GET", "/agents?" + std::string(query)).status, 400) << query;
}

// ---- Endings ------------------------------------------------------------------------------------

TEST_F(AdminAgents, SuspendingRevokesEveryLiveCertificate) {
  Register("web");
  Register("other");
  std::vector<ca::Certificate> live;
  for (int i = 0; i < 3; ++i) live.push_back(CertifyAgent(web_));
  const auto bystander = CertifyAgent({"acme", "other"});
  const auto response = Ask("POST", "/agents/acme/web/suspend", R"({"reason":"odd"})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(Texts(response, "revoked").size(), 3u) << response.body;
  EXPECT_NE(response.body.find(R"("status":"suspended")"), std::string::npos);
  for (const auto& certificate : live) EXPECT_FALSE(IsLive(certificate));
  EXPECT_TRUE(IsLive(bystander));
  EXPECT_EQ(nudges_, 1);
  EXPECT_NE(AuditText().find("privilegeWithdrawn"), std::string::npos);
  // Again: nothing is left to do, and that is no fault.
  const auto again = Ask("POST", "/agents/acme/web/suspend", R"({"reason":"odd"})");
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(Texts(again, "revoked").empty());
}

TEST_F(AdminAgents, MoreCertificatesThanAPageHoldsAreAllRevoked) {
  Register("web");
  for (int i = 0; i < 205; ++i) CertifyAgent(web_);
  const auto response = Ask("POST", "/agents/acme/web/revoke",
                            R"({"reason":"leak",)"
                            R"("revocationReason":"superseded"})");
  ASSERT_EQ(response.status, 200);
  EXPECT_EQ(Texts(response, "revoked").size(), 205u);
  EXPECT_NE(response.body.find(R"("status":"active")"), std::string::npos);
}

TEST_F(AdminAgents, CertificatesCanBeKept) {
  Register("web");
  const auto certificate = CertifyAgent(web_);
  const auto response =
      Ask("POST", "/agents/acme/web/suspend", R"({"reason":"odd","revoke":false})");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(IsLive(certificate));
}

TEST_F(AdminAgents, ARevocationThatFailsIsReportedAndTheSameRequestFinishesIt) {
  Register("web");
  for (int i = 0; i < 3; ++i) CertifyAgent(web_);
  faults_.Fail("Revoke", fakes::FailWhen::kBefore, 2);
  const auto partial = Ask("POST", "/agents/acme/web/retire", R"({"reason":"done"})");
  EXPECT_EQ(partial.status, 207) << partial.body;
  EXPECT_EQ(Texts(partial, "revoked").size(), 2u);
  EXPECT_NE(partial.body.find(R"("errors":[{"serial":")"), std::string::npos) << partial.body;
  EXPECT_NE(partial.body.find(R"("status":"retired")"), std::string::npos) << partial.body;
  const auto rest = Ask("POST", "/agents/acme/web/retire", R"({"reason":"done"})");
  EXPECT_EQ(rest.status, 200) << rest.body;
  EXPECT_EQ(Texts(rest, "revoked").size(), 1u);
}

TEST_F(AdminAgents, AListThatFailsIsReported) {
  Register("web");
  CertifyAgent(web_);
  faults_.Fail("List", fakes::FailWhen::kBefore);
  const auto partial = Ask("POST", "/agents/acme/web/suspend", R"({"reason":"odd"})");
  EXPECT_EQ(partial.status, 207) << partial.body;
  EXPECT_NE(partial.body.find(R"("errors":[{"detail":")"), std::string::npos) << partial.body;
}

TEST_F(AdminAgents, ResumeGoesBackAndRetiredIsForEver) {
  Register("web");
  EXPECT_EQ(Ask("POST", "/agents/acme/web/suspend", R"({"reason":"a"})").status, 200);
  EXPECT_EQ(Ask("POST", "/agents/acme/web/resume", R"({"reason":"b"})").status, 200);
  EXPECT_EQ(Ask("POST", "/agents/acme/web/retire", R"({"reason":"c"})").status, 200);
  EXPECT_EQ(Ask("POST", "/agents/acme/web/resume", R"({"reason":"d"})").status, 409);
  const auto history = Ask("GET", "/agents/acme/web/history?limit=3");
  EXPECT_NE(history.body.find(R"("what":"resumed","detail":"b")"), std::string::npos)
      << history.body;
  EXPECT_NE(history.body.find("\"next\":"), std::string::npos) << history.body;
}

TEST_F(AdminAgents, EndingsNeedAReasonAndKnowTheirMembers) {
  Register("web");
  const std::string path = "/agents/acme/web/";
  for (const char* body :
       {"{}", R"({"reason":""})", R"({"reason":"a\nb"})", R"({"reason":"a","revoked":true})",
        R"({"reason":"a","revoke":"yes"})", R"({"reason":"a","revocationReason":"mood"})",
        R"({"reason":"a","revocationReason":"certificateHold"})"})
    EXPECT_EQ(Ask("POST", path + "suspend", body).status, 400) << body;
  EXPECT_EQ(Ask("POST", path + "resume", R"({"reason":"a","revoke":true})").status, 400);
  EXPECT_EQ(Ask("POST", path + "revoke", R"({"reason":"a","revoke":true})").status, 400);
  EXPECT_EQ(Ask("POST", "/agents/acme/none/suspend", R"({"reason":"a"})").status, 404);
  EXPECT_NE(Ask("GET", path.substr(0, path.size() - 1)).body.find("\"active\""), std::string::npos);
}

TEST_F(AdminAgents, AWholeTenantCanBeSuspended) {
  for (const char* name : {"db", "web-1", "web-2"}) Register(name);
  const auto db = CertifyAgent({"acme", "db"});
  const auto web = CertifyAgent({"acme", "web-1"});
  const auto part = Ask("POST", "/agents/revoke",
                        R"({"tenant":"acme","name":"web-*","suspend":true,"reason":"r"})");
  ASSERT_EQ(part.status, 200) << part.body;
  EXPECT_NE(part.body.find(R"({"agent":"acme/web-1","status":"suspended","revoked":[")"),
            std::string::npos)
      << part.body;
  EXPECT_EQ(part.body.find("acme/db"), std::string::npos);
  EXPECT_TRUE(IsLive(db));
  EXPECT_FALSE(IsLive(web));
  const auto all =
      Ask("POST", "/agents/revoke", R"({"tenant":"acme","retire":true,"reason":"r","limit":2})");
  EXPECT_EQ(Text(all, "next"), "acme/web-1") << all.body;
  EXPECT_FALSE(IsLive(db));
  const auto rest =
      Ask("POST", "/agents/revoke",
          R"({"tenant":"acme","retire":true,"reason":"r","limit":2,"after":"acme/web-1"})");
  EXPECT_NE(rest.body.find(R"("agent":"acme/web-2","status":"retired")"), std::string::npos)
      << rest.body;
  // Retired agents stay so; their certificates go all the same.
  EXPECT_EQ(
      Ask("POST", "/agents/revoke", R"({"tenant":"acme","suspend":true,"reason":"r"})").status,
      200);
}

TEST_F(AdminAgents, ManyAtOnceKnowTheirMembers) {
  for (const char* body :
       {R"({"reason":"r"})", R"({"tenant":"","reason":"r"})", R"({"tenant":"acme"})",
        R"({"tenant":"acme","reason":"r","suspend":true,"retire":true})",
        R"({"tenant":"acme","reason":"r","limit":0})",
        R"({"tenant":"acme","reason":"r","nme":"x"})", R"({"tenant":"*","reason":"r"})"})
    EXPECT_EQ(Ask("POST", "/agents/revoke", body).status, 400) << body;
}

TEST_F(AdminAgents, ShowsTheirCertificates) {
  Register("web");
  const auto certificate = CertifyAgent(web_);
  EXPECT_NE(
      Ask("GET", "/certificates?agent=acme%2Fweb&valid=1").body.find(certificate.serial.ToString()),
      std::string::npos);
  Ask("POST", "/agents/acme/web/revoke", R"({"reason":"r"})");
  EXPECT_EQ(Ask("GET", "/certificates?agent=acme/web&valid=1").body, R"({"certificates":[]})");
  EXPECT_NE(Ask("GET", "/certificates?agent=acme/web").body.find(R"("state":"revoked")"),
            std::string::npos);
  EXPECT_EQ(Ask("GET", "/certificates").status, 400);
  EXPECT_EQ(Ask("GET", "/agents/acme/web/attestations").body, R"({"attestations":[]})");
  EXPECT_EQ(Ask("GET", "/agents/acme/none/attestations").status, 404);
}

TEST_F(AdminAgents, AnAuditLineHoldsTheHashOfALongBody) {
  const auto added = Ask("POST", "/agents",
                         AgentBody(
                             "web", R"(,"scopes":[")" + std::string(200, 's') + "\"" + [] {
                               std::string more;
                               for (int i = 0; i < 40; ++i)
                                 more += ",\"" + std::string(120, 's') + std::to_string(i) + "\"";
                               return more;
                             }() + "]"));
  EXPECT_EQ(added.status, 201) << added.body;
  EXPECT_NE(AuditText().find(R"("detail":"sha256 )"), std::string::npos);
}

}  // namespace
}  // namespace agentca::acme::admin::testing
