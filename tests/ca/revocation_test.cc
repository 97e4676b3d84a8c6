#include "ca/revocation.h"

#include <gtest/gtest.h>

#include "tests/fakes/command.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/ocsp_client.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

using fakes::Eventually;
using fakes::FakeCertificateStore;
using std::chrono::milliseconds;

class Revocations : public testing::Test {
 protected:
  void SetUp() override { store_.Add(issuer_.info.id, serial_, now_ + Seconds(86400)); }
  std::string AuditText() { return std::string(AsText(fakes::ReadWholeFile(audit_file_))); }

  fakes::ManualClock clock_;
  const Time now_ = clock_.Now();
  FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{now_};
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path audit_file_ = directory_ / "audit.log";
  std::unique_ptr<ChainedLog> audit_ = ChainedLog::Open(audit_file_).value();
  Revoker revoker_{store_, *audit_};
  const Serial serial_ = *Serial::FromHex("0102030405");
};

TEST_F(Revocations, AreAuditedAndStored) {
  ASSERT_TRUE(
      revoker_.Revoke(issuer_.info.id, serial_, Reason::kKeyCompromise, "account 7", now_).ok());
  const auto status = store_.StatusOf(issuer_.info.id, serial_);
  ASSERT_TRUE(status->revocation);
  EXPECT_EQ(status->revocation->reason, Reason::kKeyCompromise);
  EXPECT_EQ(status->revocation->at, now_);
  EXPECT_NE(AuditText().find(R"("event":"revoke","issuer":")" + issuer_.info.id +
                             R"(","serial":"0102030405","reason":"keyCompromise",)"
                             R"("requested_by":"account 7")"),
            std::string::npos)
      << AuditText();
}

TEST_F(Revocations, ThatChangeNothingLeaveNoEvent) {
  const Serial intent = *Serial::FromHex("0a");
  store_.Add(issuer_.info.id, intent, now_, SerialState::kIntent);
  const auto code_of = [&](const Serial& serial) {
    return revoker_.Revoke(issuer_.info.id, serial, Reason::kSuperseded, "operator", now_)
        .error()
        .code;
  };
  EXPECT_EQ(code_of(*Serial::FromHex("0bad")), Code::kNotFound);
  EXPECT_EQ(code_of(intent), Code::kNotFound);
  ASSERT_TRUE(store_.Abandon(issuer_.info.id, intent, now_).ok());
  EXPECT_EQ(code_of(intent), Code::kAlreadyRevoked);
  EXPECT_EQ(AuditText(), "");
  ASSERT_TRUE(
      revoker_.Revoke(issuer_.info.id, serial_, Reason::kSuperseded, "operator", now_).ok());
  const std::string once = AuditText();
  EXPECT_EQ(code_of(serial_), Code::kAlreadyRevoked);
  EXPECT_EQ(AuditText(), once);
  EXPECT_EQ(store_.StatusOf(issuer_.info.id, serial_)->revocation->reason, Reason::kSuperseded);
}

TEST_F(Revocations, DoNotReachTheStoreWithoutAnEvent) {
  const std::string huge(size_t{2} << 20, 'x');  // an event that the log refuses
  EXPECT_FALSE(revoker_.Revoke(issuer_.info.id, serial_, Reason::kSuperseded, huge, now_).ok());
  EXPECT_FALSE(store_.StatusOf(issuer_.info.id, serial_)->revocation);
}

// The store goes away between the look and the write.
TEST_F(Revocations, ThatTheStoreFailedAreAuditedAsFailedAndMayBeRepeated) {
  for (const auto fault :
       {FakeCertificateStore::Fault::kFails, FakeCertificateStore::Fault::kFailsButPersists}) {
    store_.SetAfterStatusOf([&] { store_.SetFault(fault); });
    const auto failed =
        revoker_.Revoke(issuer_.info.id, serial_, Reason::kSuperseded, "operator", now_);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, Code::kUnavailable);
    store_.SetAfterStatusOf({});
    store_.SetFault(FakeCertificateStore::Fault::kNone);
    EXPECT_NE(AuditText().find(R"("event":"revoke-failed")"), std::string::npos);
    EXPECT_EQ(store_.StatusOf(issuer_.info.id, serial_)->revocation.has_value(),
              fault == FakeCertificateStore::Fault::kFailsButPersists);
  }
  const auto again =
      revoker_.Revoke(issuer_.info.id, serial_, Reason::kSuperseded, "operator", now_);
  EXPECT_EQ(again.error().code, Code::kAlreadyRevoked) << "the second one had persisted";
  EXPECT_EQ(ChainedLog::Verify(audit_file_)->lines, 4u);
}

class Watcher : public Revocations {
 protected:
  void SetUp() override {
    Revocations::SetUp();
    responder_.Serve(issuer_.certificate, issuer_.info.id,
                     {delegate_.certificate, delegate_.signer});
    publisher_.Start();
    ASSERT_TRUE(Eventually([&] { return publisher_.current() != nullptr; }));
  }
  std::unique_ptr<RevocationWatcher> Watch(milliseconds period) {
    return std::make_unique<RevocationWatcher>(store_, responder_,
                                               std::vector<CrlPublisher*>{&publisher_},
                                               std::vector<IssuerId>{issuer_.info.id}, period);
  }
  void RevokeElsewhere(const Serial& serial) {
    ASSERT_TRUE(store_.Revoke(issuer_.info.id, serial, Reason::kSuperseded, now_).ok());
  }
  int OcspStatus(const Serial& serial) {
    const Bytes request = fakes::MakeOcspRequest(issuer_.certificate, {{serial}});
    auto answer = responder_.Cached(request);
    if (!answer) answer = responder_.Answer(request);
    const auto reading = fakes::ReadOcsp(answer->der, request, issuer_.certificate, now_);
    return reading.statuses.empty() ? -1 : reading.statuses.front();
  }
  bool SeenEverywhere(const Serial& serial, size_t entries) {
    return Eventually([&] {
      return OcspStatus(serial) == V_OCSP_CERTSTATUS_REVOKED &&
             publisher_.current()->summary.entries == entries;
    });
  }

  fakes::PlainDelegate delegate_{issuer_, now_ - Seconds(60), now_ + Seconds(86400)};
  Responder responder_{store_, clock_, {}};
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "node"};
  fakes::FakeDocuments documents_;
  CrlPublisher publisher_{issuer_.info, issuer_.signer, {store_, leases_, documents_},
                          clock_,       {},             directory_ / "ca.crl"};
};

TEST_F(Watcher, LearnsOfRevocationsThatAnotherProcessMade) {
  const auto watcher = Watch(milliseconds(10));
  EXPECT_EQ(OcspStatus(serial_), V_OCSP_CERTSTATUS_GOOD);
  RevokeElsewhere(serial_);
  EXPECT_TRUE(SeenEverywhere(serial_, 1));
}

TEST_F(Watcher, LooksAtOnceWhenNudged) {
  const auto watcher = Watch(milliseconds(3'600'000));
  ASSERT_EQ(OcspStatus(serial_), V_OCSP_CERTSTATUS_GOOD);
  RevokeElsewhere(serial_);
  watcher->Nudge();
  EXPECT_TRUE(SeenEverywhere(serial_, 1));
}

TEST_F(Watcher, MissesNothingThatWasRevokedBeforeItBegan) {
  ASSERT_EQ(OcspStatus(serial_), V_OCSP_CERTSTATUS_GOOD);  // cached
  RevokeElsewhere(serial_);
  EXPECT_EQ(OcspStatus(serial_), V_OCSP_CERTSTATUS_GOOD) << "nobody watches yet";
  const auto watcher = Watch(milliseconds(3'600'000));
  EXPECT_TRUE(SeenEverywhere(serial_, 1));
}

TEST_F(Watcher, SurvivesAStoreThatIsAwayAtItsBeginningAndLater) {
  ASSERT_EQ(OcspStatus(serial_), V_OCSP_CERTSTATUS_GOOD);
  RevokeElsewhere(serial_);
  store_.SetFault(FakeCertificateStore::Fault::kFails);
  const auto watcher = Watch(milliseconds(5));
  ASSERT_TRUE(Eventually([&] { return store_.failures() >= 3; }));
  store_.SetFault(FakeCertificateStore::Fault::kNone);
  EXPECT_TRUE(SeenEverywhere(serial_, 1));

  const Serial second = *Serial::FromHex("0202");
  store_.Add(issuer_.info.id, second, now_ + Seconds(60));
  ASSERT_EQ(OcspStatus(second), V_OCSP_CERTSTATUS_GOOD);
  store_.SetFault(FakeCertificateStore::Fault::kFailsButPersists);
  EXPECT_FALSE(store_.Revoke(issuer_.info.id, second, Reason::kSuperseded, now_).ok());
  const int failures = store_.failures();
  ASSERT_TRUE(Eventually([&] { return store_.failures() >= failures + 3; }));
  store_.SetFault(FakeCertificateStore::Fault::kNone);
  EXPECT_TRUE(SeenEverywhere(second, 2));
}

TEST_F(Watcher, ReadsMoreEventsThanOneBatch) {
  const auto watcher = Watch(milliseconds(3'600'000));
  Serial last = serial_;
  for (uint32_t i = 0; i < 2'500; ++i) {
    last = *Serial::FromBytes(
        Bytes{0x55, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i & 0xff)});
    store_.Add(issuer_.info.id, last, now_ + Seconds(60));
  }
  ASSERT_EQ(OcspStatus(last), V_OCSP_CERTSTATUS_GOOD);
  for (uint32_t i = 0; i < 2'500; ++i) {
    RevokeElsewhere(*Serial::FromBytes(
        Bytes{0x55, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i & 0xff)}));
  }
  watcher->Nudge();
  EXPECT_TRUE(SeenEverywhere(last, 2'500));
}

// Two nodes on one store, each with a responder and a watcher of its own. The bound is a second; a
// machine that is busy with other things may exceed it, but not each time.
TEST_F(Watcher, EveryNodeDropsItsAnswersWithinASecond) {
  Responder other{store_, clock_, {}};
  other.Serve(issuer_.certificate, issuer_.info.id, {delegate_.certificate, delegate_.signer});
  const milliseconds period(500);
  const auto watcher = Watch(period);
  const RevocationWatcher second(store_, other, {}, {}, period);
  const auto cached = [&](const Responder& responder, const Serial& serial) {
    const auto answer = responder.Cached(fakes::MakeOcspRequest(issuer_.certificate, {{serial}}));
    return answer != nullptr;
  };
  const auto time_to_evict = [&](const Serial& serial) {
    store_.Add(issuer_.info.id, serial, now_ + Seconds(86400));
    const Bytes request = fakes::MakeOcspRequest(issuer_.certificate, {{serial}});
    // The first look of a watcher drops everything: what is cached after it stays.
    EXPECT_TRUE(Eventually([&] {
      (void)responder_.Answer(request);
      (void)other.Answer(request);
      return cached(responder_, serial) && cached(other, serial);
    }));
    const auto revoked_at = std::chrono::steady_clock::now();
    RevokeElsewhere(serial);
    EXPECT_TRUE(
        Eventually([&] { return !cached(responder_, serial) && !cached(other, serial); }));
    return std::chrono::steady_clock::now() - revoked_at;
  };
  auto best = std::chrono::steady_clock::duration::max();
  for (const char* serial : {"0301", "0302", "0303"}) {
    best = std::min(best, time_to_evict(*Serial::FromHex(serial)));
    if (best < std::chrono::seconds(1)) break;
  }
  EXPECT_LT(best, std::chrono::seconds(1));
}

TEST_F(Watcher, StopsWhileItWaits) {
  Watch(milliseconds(3'600'000)).reset();
  Watch(milliseconds(0)).reset();
}

}  // namespace
}  // namespace agentca::ca
