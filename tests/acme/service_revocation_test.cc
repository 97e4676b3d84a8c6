#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::TestSigner;

class RevocationFlow : public ServiceTest {
 protected:
  http::Response Revoke(Client& client, const ca::Certificate& certificate,
                        const std::string& reason = "") {
    return RevokeDer(client, certificate.der, reason);
  }
  http::Response RevokeDer(Client& client, const Bytes& der, const std::string& reason = "") {
    return Post(client, kBase + "/acme/revoke-cert",
                R"({"certificate":")" + ToBase64Url(der) + "\"" +
                    (reason.empty() ? "" : R"(,"reason":)" + reason) + "}");
  }
  std::optional<ca::Revocation> RevocationOf(const ca::Certificate& certificate) {
    return certificates_.StatusOf(issuer_.issuer->id(), certificate.serial)->revocation;
  }

  Client owner_ = Register();
  TestSigner key_;
};

TEST_F(RevocationFlow, TheOwnerRevokesWithAReasonOnce) {
  const auto certificate = Obtain(owner_, {"a.example.test"}, key_);
  const auto response = Revoke(owner_, certificate, "4");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(RevocationOf(certificate)->reason, ca::Reason::kSuperseded);
  EXPECT_EQ(revocations_, 1);
  EXPECT_EQ(Problem(Revoke(owner_, certificate, "1")), "400 alreadyRevoked");
  EXPECT_EQ(RevocationOf(certificate)->reason, ca::Reason::kSuperseded);
}

TEST_F(RevocationFlow, AnAccountWithAllAuthorizationsRevokes) {
  const auto certificate = Obtain(owner_, {"a.example.test", "*.b.example.test"}, key_);
  Client other = Register();
  EXPECT_EQ(Problem(Revoke(other, certificate)), "403 unauthorized");
  ReadyOrder(other, {"a.example.test", "b.example.test"});
  EXPECT_EQ(Problem(Revoke(other, certificate)), "403 unauthorized");
  ReadyOrder(other, {"*.b.example.test"});
  EXPECT_EQ(Problem(Revoke(other, certificate, "1")), "400 badRevocationReason");
  EXPECT_FALSE(RevocationOf(certificate).has_value());
  EXPECT_EQ(Revoke(other, certificate).status, 200);
  EXPECT_EQ(RevocationOf(certificate)->reason, ca::Reason::kUnspecified);
}

TEST_F(RevocationFlow, TheCertificatesKeyRevokesWithoutAnAccount) {
  auto key = std::make_shared<TestSigner>();
  const auto certificate = Obtain(owner_, {"a.example.test"}, *key);
  Client stranger;
  EXPECT_EQ(Problem(Revoke(stranger, certificate)), "403 unauthorized");
  Client holder{key};
  EXPECT_EQ(Revoke(holder, certificate, "1").status, 200);
}

TEST_F(RevocationFlow, RefusesReasonsThatAreNotTheClientsToGive) {
  const auto certificate = Obtain(owner_, {"a.example.test"}, key_);
  for (const char* reason : {"2", "6", "7", "8", "10", "11", "-1", "1.5", "\"1\"", "null"}) {
    EXPECT_EQ(Problem(Revoke(owner_, certificate, reason)), "400 badRevocationReason") << reason;
  }
  EXPECT_FALSE(RevocationOf(certificate).has_value());
}

TEST_F(RevocationFlow, RefusesCertificatesThatAreNotOurs) {
  const auto certificate = Obtain(owner_, {"a.example.test"}, key_);
  Bytes altered = certificate.der;
  altered.back() ^= 1;  // same serial, other octets
  EXPECT_EQ(Problem(RevokeDer(owner_, altered)), "404 malformed");
  EXPECT_EQ(Problem(RevokeDer(owner_, issuer_.issuer->certificate().der)), "404 malformed");
  EXPECT_EQ(Problem(RevokeDer(owner_, {0x30, 0x00})), "400 malformed");
  EXPECT_EQ(Problem(Post(owner_, kBase + "/acme/revoke-cert", "{}")), "400 malformed");
  EXPECT_FALSE(RevocationOf(certificate).has_value());
}

TEST_F(RevocationFlow, ADeactivatedAccountRevokesNothing) {
  const auto certificate = Obtain(owner_, {"a.example.test"}, key_);
  EXPECT_EQ(Post(owner_, owner_.kid, R"({"status":"deactivated"})").status, 200);
  EXPECT_EQ(Problem(Revoke(owner_, certificate)), "401 unauthorized");
  EXPECT_FALSE(RevocationOf(certificate).has_value());
}

TEST_F(RevocationFlow, AStoreThatFailsIsNoSuccess) {
  const auto certificate = Obtain(owner_, {"a.example.test"}, key_);
  faults_.Fail("Revoke", fakes::FailWhen::kBefore);
  EXPECT_EQ(Problem(Revoke(owner_, certificate)), "503 serverInternal");
  EXPECT_EQ(revocations_, 0);
  EXPECT_EQ(Revoke(owner_, certificate).status, 200);
}

}  // namespace
}  // namespace agentca::acme::testing
