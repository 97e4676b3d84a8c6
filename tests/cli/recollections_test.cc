#include "acme/cli/recollections.h"

#include <gtest/gtest.h>

#include <fstream>

#include "acme/cli/hierarchy.h"
#include "ca/audit.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::cli {
namespace {

constexpr Time kNow{Seconds{1'800'000'000}};

class Recollections : public testing::Test {
 protected:
  static CaIdentity Identity(const std::string& id) {
    const fakes::TestIssuer issuer = fakes::MakeIssuer();
    CaIdentity identity = MakeCaIdentity(issuer.issuer->certificate(), "http://ca.test", true);
    identity.info.id = id;
    return identity;
  }
  std::vector<SignedSerial> Uses() {
    std::vector<SignedSerial> uses;
    EXPECT_TRUE(VisitKeyUsage(file_, hierarchy_, [&](const SignedSerial& use) -> Status {
                  uses.push_back(use);
                  return {};
                }).ok());
    return uses;
  }

  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "log";
  const Hierarchy hierarchy_{Identity("root-id"), Identity("issuing-id")};
};

TEST_F(Recollections, CertificatesAreReadFromTheKeyUsageLog) {
  {
    const auto log = ca::ChainedLog::Open(file_).value();
    const auto use = [&](std::string_view key, std::string_view purpose, std::string_view object,
                         std::string_view not_after) {
      ASSERT_TRUE(log->Append("key-use",
                              {{"key", key},
                               {"purpose", purpose},
                               {"object", object},
                               {"sha256", "00"},
                               {"not_after", not_after}},
                              kNow)
                      .ok());
    };
    use("issuing", "certificate", "0102", ToRfc3339(kNow + Seconds(5)));
    use("issuing", "crl", "05", "");
    use("root", "certificate", "0a", ToRfc3339(kNow));
    ASSERT_TRUE(
        log->Append(
               "key-use",
               {{"key", "issuing"}, {"purpose", "certificate"}, {"object", "77"}, {"sha256", "00"}},
               kNow)
            .ok());
    ASSERT_TRUE(log->Append("signer-started", {}, kNow).ok());
  }
  std::ofstream(file_, std::ios::app) << "not a line of ours\n{\"event\":\"key-use\",\"torn";
  const auto uses = Uses();
  ASSERT_EQ(uses.size(), 3U);
  EXPECT_EQ(uses[0].issuer, "issuing-id");
  EXPECT_EQ(uses[0].serial.ToString(), "0102");
  EXPECT_EQ(uses[0].signed_at, kNow);
  EXPECT_EQ(uses[0].not_after, kNow + Seconds(5));
  EXPECT_EQ(uses[1].issuer, "root-id");
  EXPECT_FALSE(uses[2].not_after);
  EXPECT_EQ(LastKeyUsage(file_, hierarchy_)->size(), 3U);
}

TEST_F(Recollections, RevocationsAreReadFromAnAuditLog) {
  {
    const auto log = ca::ChainedLog::Open(file_).value();
    ASSERT_TRUE(log->Append("revoke",
                            {{"issuer", "issuing-id"},
                             {"serial", "0102"},
                             {"reason", "superseded"},
                             {"requested_by", "operator"}},
                            kNow)
                    .ok());
    ASSERT_TRUE(log->Append("issued", {{"serial", "0103"}}, kNow).ok());
  }
  std::vector<RecalledRevocation> found;
  ASSERT_TRUE(VisitAuditedRevocations(file_, [&](const RecalledRevocation& each) -> Status {
                found.push_back(each);
                return {};
              }).ok());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].issuer, "issuing-id");
  EXPECT_EQ(found[0].entry.serial.ToString(), "0102");
  EXPECT_EQ(found[0].entry.revocation.at, kNow);
  EXPECT_EQ(found[0].entry.revocation.reason, ca::Reason::kSuperseded);
}

}  // namespace
}  // namespace agentca::cli
