// Who may do what: every route for every role, and certificates that open nothing.
#include "acme/admin/routes.h"
#include "tests/acme/admin_fixture.h"
#include "tests/fakes/plain_pki.h"

namespace agentca::acme::admin::testing {
namespace {

// A path of the route, with something in every place.
std::string PathOf(const Route& route) {
  std::string path;
  for (const char c : route.path) path += c == '*' ? std::string("none") : std::string(1, c);
  return path;
}

class AdminAccess : public AdminTest {
 protected:
  // 403 alone is a refusal: handlers that are reached complain of empty bodies and missing things.
  int Status(const Bytes& certificate, const Route& route) {
    return Ask(certificate, std::string(route.method), PathOf(route)).status;
  }
};

TEST_F(AdminAccess, EveryRouteIsRefusedToEveryLesserRoleAndNoOther) {
  for (const Role role : {Role::kAuditor, Role::kOperator, Role::kAdmin}) {
    const Bytes certificate = Certify(role).der;
    for (const Route& route : Routes())
      EXPECT_EQ(Status(certificate, route) == 403, role < route.least)
          << ToString(role) << " " << route.method << " " << route.path;
  }
}

TEST_F(AdminAccess, AnAuditorOnlyReads) {
  for (const Route& route : Routes())
    EXPECT_EQ(route.least == Role::kAuditor, route.method == "GET")
        << route.method << " " << route.path;
}

TEST_F(AdminAccess, TrustAndAdministratorsAreForAdminsAlone) {
  for (const Route& route : Routes()) {
    if (route.method == "GET") continue;
    const bool trust = route.path.starts_with("/rules") || route.path.starts_with("/sources") ||
                       route.path.starts_with("/admins");
    EXPECT_EQ(route.least == Role::kAdmin, trust) << route.method << " " << route.path;
  }
}

TEST_F(AdminAccess, NoRouteIsThereTwiceOrShadowed) {
  for (const Route& route : Routes()) {
    std::vector<std::string> ids;
    const auto found = FindRoute(route.method, "/admin/v1" + PathOf(route), ids);
    ASSERT_TRUE(found.ok()) << route.path;
    EXPECT_EQ(*found, &route) << route.path;
  }
}

TEST_F(AdminAccess, ARevokedCertificateOpensNothingFromTheNextRequestOn) {
  const auto certificate = Certify(Role::kAdmin, "bob");
  EXPECT_EQ(Ask(certificate.der, "GET", "/status").status, 200);
  ASSERT_TRUE(revoker_
                  .Revoke(issuer_.issuer->id(), certificate.serial, ca::Reason::kKeyCompromise,
                          "operator", clock_.Now())
                  .ok());
  for (const Route& route : Routes())
    EXPECT_EQ(Status(certificate.der, route), 403) << route.method << " " << route.path;
  EXPECT_NE(Text(Ask(certificate.der, "GET", "/status"), "detail").find("revoked"),
            std::string::npos);
}

TEST_F(AdminAccess, AnExpiredCertificateOpensNothingOverAnOpenConnection) {
  const auto certificate = Certify(Role::kAdmin, "bob");
  clock_.Advance(Seconds(31 * 86400));
  EXPECT_EQ(Ask(certificate.der, "GET", "/status").status, 403);
}

TEST_F(AdminAccess, NoCertificateAndRubbishOpenNothing) {
  EXPECT_EQ(Ask(Bytes(), "GET", "/status").status, 403);
  EXPECT_EQ(Ask(Bytes{1, 2, 3}, "GET", "/status").status, 403);
}

// Certificates of this CA, each with something missing for an administrator.
class AdminIdentity : public AdminAccess {
 protected:
  int StatusOf(const ca::Profile& profile, const ca::CertificateRequest& request) {
    const auto issued = issuance_.Issue(profile, request, clock_.Now());
    EXPECT_TRUE(issued.ok());
    return Ask(issued->der, "GET", "/status").status;
  }
  static ca::CertificateRequest With(std::vector<std::string> uris,
                                     std::vector<std::string> names = {}) {
    ca::CertificateRequest request{.key = fakes::NewPublicKey()};
    request.uris = std::move(uris);
    request.dns_names = std::move(names);
    request.subject = ca::Name{{ca::Attribute::kCommonName, "somebody"}};
    return request;
  }
};

TEST_F(AdminIdentity, OnlyTheUriOfAnAdministratorWillDo) {
  EXPECT_EQ(StatusOf(admin_profile_, With({"spiffe://example.test/admin/auditor/eve"})), 200);
  for (const char* uri :
       {"spiffe://example.test/t/acme/a/web", "spiffe://other.test/admin/admin/eve",
        "spiffe://example.test/admin/root/eve", "spiffe://example.test/admin/admin/eve/x",
        "spiffe://example.test/admin/admin/Eve", "spiffe://example.test.evil/admin/admin/eve",
        "spiffe://example.test/t/admin/admin/eve", "https://example.test/admin/admin/eve"})
    EXPECT_EQ(StatusOf(admin_profile_, With({uri})), 403) << uri;
}

TEST_F(AdminIdentity, ACertificateWithoutUriOrWithTwoWillNotDo) {
  EXPECT_EQ(StatusOf(server_profile_, With({}, {"web.acme.agents.example.test"})), 403);
  // This CA makes none with two; OpenSSL does.
  const fakes::PlainIssuer other(clock_.Now());
  const auto with = [&](const char* names) {
    return AdministratorOf(fakes::MakeCertificate(
                               {"eve", other.signer.key(), "CA", other.signer.key(), clock_.Now(),
                                clock_.Now() + Seconds(60), 3, false, false, "clientAuth", names})
                               .der,
                           "example.test")
        .ok();
  };
  EXPECT_TRUE(with("URI:spiffe://example.test/admin/admin/eve"));
  EXPECT_FALSE(with("URI:spiffe://example.test/admin/admin/eve,URI:https://example.test"));
  EXPECT_FALSE(with("DNS:example.test"));
}

TEST_F(AdminIdentity, AnotherProfileWillNotDo) {
  EXPECT_EQ(StatusOf(server_profile_, With({"spiffe://example.test/admin/admin/eve"})), 403);
}

TEST_F(AdminIdentity, ACertificateThatTheStoreNeverSawWillNotDo) {
  auto backend = storage::MakeMemoryBackend();
  const ca::Issuance elsewhere(*issuer_.issuer, backend->certificates(), *audit_, random_, 1);
  const auto issued = elsewhere.Issue(
      admin_profile_, With({"spiffe://example.test/admin/admin/eve"}), clock_.Now());
  ASSERT_TRUE(issued.ok());
  EXPECT_EQ(Ask(issued->der, "GET", "/status").status, 403);
}

TEST_F(AdminAccess, AStoreThatIsAwayLetsNobodyInAndSaysTryAgain) {
  faults_.Fail("Find", fakes::FailWhen::kBefore);
  const auto response = Ask("GET", "/status");
  EXPECT_EQ(response.status, 503);
  EXPECT_FALSE(Header(response, "Retry-After").empty());
}

TEST_F(AdminAccess, AnUnknownPathIs404AndAWrongMethod405) {
  EXPECT_EQ(Ask("GET", "/nothing").status, 404);
  EXPECT_EQ(Ask("GET", "/agents/a/b/c").status, 404);
  const auto wrong = Ask("DELETE", "/agents");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(Header(wrong, "Allow"), "GET, POST");
  EXPECT_EQ(Ask("HEAD", "/status").status, 200);
  EXPECT_EQ(Ask("HEAD", "/status").body, "");
}

TEST_F(AdminAccess, StatusSaysWhoAsks) {
  const auto status = Ask(Certify(Role::kOperator, "carol").der, "GET", "/status");
  EXPECT_NE(status.body.find(R"("caller":{"role":"operator","name":"carol")"), std::string::npos)
      << status.body;
  EXPECT_EQ(Header(status, "Cache-Control"), "no-store");
}

}  // namespace
}  // namespace agentca::acme::admin::testing
