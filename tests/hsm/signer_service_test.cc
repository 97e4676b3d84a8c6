// A signer that holds some of the keys of its table.
#include "hsm/signer_service.h"

#include <gtest/gtest.h>

#include "tests/fakes/test_signer.h"
#include "tests/hsm/signer_world.h"

namespace agentca::hsm {
namespace {

class SignerServiceTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SignerService>> Open(std::vector<std::string> held) const {
    return SignerService::Open({.token = world_.token(),
                                .keys = keys_,
                                .held = std::move(held),
                                .key_usage_log = world_.Log()});
  }
  static Reply Sign(SignerService& service, const std::string& key, const Bytes& message) {
    Frame request{7, static_cast<uint8_t>(Operation::kSign), EncodeSignPrefix(key)};
    request.body.insert(request.body.end(), message.begin(), message.end());
    return service.Answer(request);
  }
  static Bytes Delegation(const ca::PublicKey& to) {
    testdata::CertificateDraft draft{.key = to};
    draft.extensions = {{"extendedKeyUsage", "OCSPSigning"}};
    return draft.ToTbs();
  }
  static std::vector<std::string> NamesOf(const Reply& greeting) {
    std::vector<std::string> names;
    const auto keys = ParseKeys(greeting.body);
    EXPECT_TRUE(keys.ok());
    if (keys.ok())
      for (const NamedKey& key : *keys) names.push_back(key.name);
    return names;
  }

  const testdata::SignerWorld world_;
  std::vector<KeyEntry> keys_ = world_.Keys();
};

TEST_F(SignerServiceTest, HoldsEveryKeyUnlessToldWhich) {
  const auto service = Open({});
  ASSERT_TRUE(service.ok()) << service.error().detail;
  EXPECT_EQ(NamesOf((*service)->Greeting()), (std::vector<std::string>{"issuing", "ocsp"}));
}

TEST_F(SignerServiceTest, AResponderOnTheEdgeSignsAnswersAndNothingElse) {
  const auto service = Open({"ocsp"});
  ASSERT_TRUE(service.ok()) << service.error().detail;
  EXPECT_EQ(NamesOf((*service)->Greeting()), std::vector<std::string>{"ocsp"});
  EXPECT_EQ(Sign(**service, "ocsp", world_.Ocsp()).status, ReplyStatus::kOk);
  for (const Bytes& message : {world_.Certificate(1), world_.Crl(), world_.Ocsp()}) {
    const Reply reply = Sign(**service, "issuing", message);
    EXPECT_EQ(reply.status, ReplyStatus::kRefused);
    EXPECT_EQ(AsText(reply.body), "this signer does not hold that key");
  }
  EXPECT_EQ(Sign(**service, "ocsp", world_.Certificate(1)).status, ReplyStatus::kRefused);
  EXPECT_EQ(Sign(**service, "ocsp", world_.Crl()).status, ReplyStatus::kRefused);
  EXPECT_EQ(world_.TimesLogged(world_.Certificate(1)) + world_.TimesLogged(world_.Crl()), 0);
}

TEST_F(SignerServiceTest, AnIssuerCertifiesTheResponderWhoseKeyItDoesNotHold) {
  const auto service = Open({"issuing"});
  ASSERT_TRUE(service.ok()) << service.error().detail;
  EXPECT_EQ(Sign(**service, "issuing", world_.Certificate(1)).status, ReplyStatus::kOk);
  EXPECT_EQ(Sign(**service, "issuing", Delegation(world_.ocsp_key())).status, ReplyStatus::kOk);
  EXPECT_EQ(Sign(**service, "issuing", Delegation(fakes::NewPublicKey())).status,
            ReplyStatus::kRefused);
  EXPECT_EQ(Sign(**service, "ocsp", world_.Ocsp()).status, ReplyStatus::kRefused);
}

TEST_F(SignerServiceTest, WhatOthersHoldNeedsNeitherCertificateNorKey) {
  keys_[0].certificate_file = world_.File("nowhere.pem");
  keys_[0].uri = "pkcs11:object=nothing";
  EXPECT_TRUE(Open({"ocsp"}).ok());
  EXPECT_FALSE(Open({}).ok());
  keys_ = world_.Keys();
  keys_[1].certificate_file = world_.File("nowhere.pem");
  const auto issuer = Open({"issuing"});
  ASSERT_TRUE(issuer.ok());
  EXPECT_EQ(Sign(**issuer, "issuing", Delegation(world_.ocsp_key())).status, ReplyStatus::kRefused);
}

TEST_F(SignerServiceTest, RefusesToHoldWhatIsNotInTheTable) {
  const auto service = Open({"ocsp", "root"});
  ASSERT_FALSE(service.ok());
  EXPECT_EQ(service.error().code, Code::kMalformed);
  EXPECT_NE(service.error().detail.find("\"root\""), std::string::npos);
}

}  // namespace
}  // namespace agentca::hsm
