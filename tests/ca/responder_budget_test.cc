// How many answers that serve one request only a responder signs.
#include <gtest/gtest.h>

#include "ca/responder.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/ocsp_client.h"
#include "tests/fakes/plain_pki.h"

namespace agentca::ca {
namespace {

class ResponderBudget : public testing::Test {
 protected:
  void SetUp() override {
    for (const Serial& serial : {serial_, other_})
      store_.Add(issuer_.info.id, serial, now_ + Seconds(86400));
    responder_.Serve(issuer_.certificate, issuer_.info.id,
                     {delegate_.certificate, delegate_.signer});
  }
  static OcspSchedule TwoASecond() {
    OcspSchedule schedule;
    schedule.fresh_per_second = 2;
    return schedule;
  }
  Bytes WithNonce(uint8_t filler) const {
    return fakes::MakeOcspRequest(issuer_.certificate,
                                  {{serial_}, OcspHash::kSha1, Bytes(32, filler)});
  }
  int StatusOf(ByteView request) {
    return fakes::ReadOcsp(responder_.Answer(request)->der, request, issuer_.certificate, now_)
        .response_status;
  }

  fakes::ManualClock clock_;
  const Time now_ = clock_.Now();
  fakes::FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{now_};
  fakes::PlainDelegate delegate_{issuer_, now_ - Seconds(60), now_ + Seconds(7 * 86400)};
  const Serial serial_ = *Serial::FromHex("0102030405");
  const Serial other_ = *Serial::FromHex("01aa");
  Responder responder_{store_, clock_, TwoASecond()};
};

TEST_F(ResponderBudget, BeyondItANonceIsIgnored) {
  for (uint8_t i = 0; i < 2; ++i) EXPECT_FALSE(responder_.Answer(WithNonce(i))->cacheable);
  const auto shared = responder_.Answer(WithNonce(2));
  EXPECT_TRUE(shared->successful);
  EXPECT_TRUE(shared->cacheable) << "it has no nonce";
  for (uint8_t i = 3; i < 20; ++i) EXPECT_EQ(responder_.Answer(WithNonce(i)), shared);
  EXPECT_EQ(delegate_.signer->calls(), 3);
  clock_.Advance(Seconds(1));
  EXPECT_FALSE(responder_.Answer(WithNonce(20))->cacheable);
}

TEST_F(ResponderBudget, BeyondItSeveralCertificatesMustWait) {
  const Bytes several = fakes::MakeOcspRequest(issuer_.certificate, {{serial_, other_}});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(StatusOf(several), OCSP_RESPONSE_STATUS_SUCCESSFUL);
  EXPECT_EQ(StatusOf(several), OCSP_RESPONSE_STATUS_TRYLATER);
  EXPECT_EQ(delegate_.signer->calls(), 2);
  clock_.Advance(Seconds(1));
  EXPECT_EQ(StatusOf(several), OCSP_RESPONSE_STATUS_SUCCESSFUL);
}

TEST_F(ResponderBudget, CacheableAnswersDoNotSpendIt) {
  for (const Serial& serial : {serial_, other_}) {
    for (const OcspHash hash : {OcspHash::kSha1, OcspHash::kSha256}) {
      EXPECT_TRUE(
          responder_.Answer(fakes::MakeOcspRequest(issuer_.certificate, {{serial}, hash, {}}))
              ->successful);
    }
  }
  EXPECT_FALSE(responder_.Answer(WithNonce(1))->cacheable);
}

}  // namespace
}  // namespace agentca::ca
