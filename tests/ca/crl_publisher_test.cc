#include "ca/crl_publisher.h"

#include <gtest/gtest.h>

#include "tests/fakes/command.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

using fakes::Eventually;
using fakes::FakeCertificateStore;

class Publisher : public testing::Test {
 protected:
  std::unique_ptr<CrlPublisher> Make(CrlSchedule schedule = {}) {
    return std::make_unique<CrlPublisher>(issuer_.info, issuer_.signer, Shared(), clock_, schedule,
                                          file_);
  }
  CrlPublisher::Shared Shared() { return {store_, leases_, documents_}; }
  void AddRevoked(std::string_view serial, Time not_after) {
    const Serial number = *Serial::FromHex(serial);
    store_.Add(issuer_.info.id, number, not_after);
    ASSERT_TRUE(store_.Revoke(issuer_.info.id, number, Reason::kSuperseded, clock_.Now()).ok());
  }
  Result<CrlSummary> OnDisk() {
    return ParseCrl(fakes::ReadWholeFile(file_), issuer_.signer.public_key());
  }

  fakes::ManualClock clock_;
  FakeCertificateStore store_;
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "this node"};
  fakes::FakeDocuments documents_;
  fakes::PlainIssuer issuer_{clock_.Now()};
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ca.crl";
};

TEST_F(Publisher, ServesNothingBeforeTheFirstPublication) { EXPECT_EQ(Make()->current(), nullptr); }

TEST_F(Publisher, PublishesWhatIsRevokedToFileAndMemory) {
  AddRevoked("0a01", clock_.Now() + Seconds(3600));
  AddRevoked("0a02", clock_.Now() + Seconds(3600));
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  const auto current = publisher->current();
  ASSERT_NE(current, nullptr);
  EXPECT_EQ(current->summary.entries, 2u);
  EXPECT_EQ(current->summary.next_update, clock_.Now() + CrlSchedule{}.lifetime);
  EXPECT_EQ(fakes::ReadWholeFile(file_), current->der);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "ca.crl.new"));
}

TEST_F(Publisher, KeepsExpiredEntriesForTwoMorePeriodsOnly) {
  const CrlSchedule schedule;
  AddRevoked("0a01", clock_.Now() - schedule.keep_expired);
  AddRevoked("0a02", clock_.Now() - schedule.keep_expired - Seconds(1));
  const auto publisher = Make(schedule);
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(publisher->current()->summary.entries, 1u);
}

TEST_F(Publisher, NumbersIncreaseStrictlyAlsoAfterARestart) {
  uint64_t last = 0;
  for (int run = 0; run < 3; ++run) {
    const auto publisher = Make();
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(publisher->PublishNow().ok());
      EXPECT_GT(publisher->current()->summary.number, last);
      last = publisher->current()->summary.number;
    }
  }
}

TEST_F(Publisher, NumbersIncreaseEvenWhenTheStoreWasRestoredFromABackup) {
  store_.SetNextCrlNumber(500);
  ASSERT_TRUE(Make()->PublishNow().ok());
  store_.SetNextCrlNumber(3);
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(publisher->current()->summary.number, 501u);
}

TEST_F(Publisher, ServesAnExistingListUntilTheFirstPublication) {
  ASSERT_TRUE(Make()->PublishNow().ok());
  const auto publisher = Make();
  ASSERT_NE(publisher->current(), nullptr);
  EXPECT_EQ(publisher->current()->der, fakes::ReadWholeFile(file_));
}

TEST_F(Publisher, DoesNotServeAFileThatDoesNotVerify) {
  ASSERT_TRUE(Make()->PublishNow().ok());
  Bytes damaged = fakes::ReadWholeFile(file_);
  damaged[damaged.size() / 2] ^= 1;
  fakes::WriteFile(file_, damaged);
  EXPECT_EQ(Make()->current(), nullptr);
  fakes::WriteFile(file_, AsBytes("not a CRL"));
  const auto publisher = Make();
  EXPECT_EQ(publisher->current(), nullptr);
  EXPECT_TRUE(publisher->PublishNow().ok());
  EXPECT_TRUE(OnDisk().ok());
}

TEST_F(Publisher, RefusesWhenTheClockRunsBackwards) {
  ASSERT_TRUE(Make()->PublishNow().ok());
  const Bytes before = fakes::ReadWholeFile(file_);
  clock_.Leap(Seconds(-100));
  const auto publisher = Make();
  const auto status = publisher->PublishNow();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kInternal);
  EXPECT_NE(status.error().detail.find("clock"), std::string::npos);
  EXPECT_EQ(fakes::ReadWholeFile(file_), before);
  clock_.Leap(Seconds(100));
  EXPECT_TRUE(publisher->PublishNow().ok()) << "the same second is not backwards";
}

TEST_F(Publisher, ReplacesAListOfTheFutureWhenTheClockComesBack) {
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  const Time before = clock_.Now();
  clock_.Leap(Seconds(86400));
  ASSERT_TRUE(publisher->PublishNow().ok());
  const uint64_t number = publisher->current()->summary.number;
  clock_.Leap(Seconds(-86400));
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(publisher->current()->summary.this_update, before);
  EXPECT_GT(publisher->current()->summary.number, number);
}

TEST_F(Publisher, AListOfTheFutureOnDiskIsReplacedOnceTheClockKeptToItsWord) {
  clock_.Leap(Seconds(86400));
  ASSERT_TRUE(Make()->PublishNow().ok());
  clock_.Leap(Seconds(-86400));
  const auto publisher = Make();
  EXPECT_FALSE(publisher->PublishNow().ok());
  clock_.Advance(ClockGuard::kPatience);
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(OnDisk()->this_update, clock_.Now());
}

TEST_F(Publisher, KeepsTheLastListWhenSignerOrStoreFail) {
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  const auto before = publisher->current();
  const auto expect_kept = [&] {
    EXPECT_FALSE(publisher->PublishNow().ok());
    EXPECT_EQ(publisher->current(), before);
    EXPECT_EQ(fakes::ReadWholeFile(file_), before->der);
  };
  issuer_.signer.Fail(fakes::SignerFault::kUnavailable);
  expect_kept();
  issuer_.signer.Fail(fakes::SignerFault::kNone);
  issuer_.signer.Fail(fakes::SignerFault::kWrongSignature);
  expect_kept();
  issuer_.signer.Fail(fakes::SignerFault::kNone);
  store_.SetFault(FakeCertificateStore::Fault::kFails);
  expect_kept();
  store_.SetFault(FakeCertificateStore::Fault::kNone);
  documents_.SetFault(fakes::FakeDocuments::Fault::kFails);
  expect_kept();
  documents_.SetFault(fakes::FakeDocuments::Fault::kNone);
  EXPECT_TRUE(publisher->PublishNow().ok());
  EXPECT_NE(publisher->current(), before);
}

TEST_F(Publisher, ServesAFreshListThoughTheDiskFails) {
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  const Bytes before = fakes::ReadWholeFile(file_);
  std::filesystem::create_directory(directory_ / "ca.crl.new");
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(publisher->current()->summary.number, 2u);
  EXPECT_EQ(fakes::ReadWholeFile(file_), before);
  std::filesystem::remove(directory_ / "ca.crl.new");
  ASSERT_TRUE(publisher->PublishNow().ok());
  EXPECT_EQ(fakes::ReadWholeFile(file_), publisher->current()->der);
}

TEST_F(Publisher, ReplacesTheLeftoversOfACrash) {
  fakes::WriteFile(directory_ / "ca.crl.new", AsBytes(std::string(100'000, 'x')));
  ASSERT_TRUE(Make()->PublishNow().ok());
  EXPECT_TRUE(OnDisk().ok());
}

TEST_F(Publisher, PublishesAtStartAndUponRequest) {
  const auto publisher = Make();
  publisher->Start();
  ASSERT_TRUE(Eventually([&] { return publisher->current() != nullptr; }));
  AddRevoked("0a01", clock_.Now() + Seconds(3600));
  publisher->RequestPublication();
  EXPECT_TRUE(Eventually([&] { return publisher->current()->summary.entries == 1; }));
}

TEST_F(Publisher, ARequestDuringAPublicationIsNotLost) {
  const auto publisher = Make();
  publisher->Start();
  for (int i = 1; i <= 50; ++i) {
    AddRevoked(i < 16 ? "0b0" + ToHex(Bytes{static_cast<uint8_t>(i)}).substr(1)
                      : "0b" + ToHex(Bytes{static_cast<uint8_t>(i)}),
               clock_.Now() + Seconds(3600));
    publisher->RequestPublication();
  }
  EXPECT_TRUE(Eventually([&] {
    const auto current = publisher->current();
    return current && current->summary.entries == 50;
  }));
}

TEST_F(Publisher, RequestsCoalesce) {
  const auto publisher = Make();
  publisher->Start();
  ASSERT_TRUE(Eventually([&] { return publisher->current() != nullptr; }));
  for (int i = 0; i < 10'000; ++i) publisher->RequestPublication();
  AddRevoked("0a01", clock_.Now() + Seconds(3600));
  publisher->RequestPublication();
  ASSERT_TRUE(Eventually([&] { return publisher->current()->summary.entries == 1; }));
  EXPECT_LT(publisher->current()->summary.number, 1'000u);
}

TEST_F(Publisher, RepublishesOnItsTimerThoughNothingWasRevoked) {
  const SystemClock clock;
  CrlPublisher publisher(issuer_.info, issuer_.signer, Shared(), clock,
                         {Seconds(60), Seconds(1), Seconds(120)}, file_);
  publisher.Start();
  EXPECT_TRUE(Eventually([&] {
    const auto current = publisher.current();
    return current && current->summary.number >= 2;
  }));
}

TEST_F(Publisher, TriesAgainByItselfAfterAFailure) {
  issuer_.signer.Fail(fakes::SignerFault::kUnavailable);
  const auto publisher = Make();
  publisher->Start();
  ASSERT_TRUE(Eventually([&] { return issuer_.signer.calls() >= 1; }));
  EXPECT_EQ(publisher->current(), nullptr);
  issuer_.signer.Fail(fakes::SignerFault::kNone);
  EXPECT_TRUE(Eventually([&] { return publisher->current() != nullptr; }));
}

TEST_F(Publisher, StopsWhileItWaitsAndWhileItFails) {
  const auto idle = Make();
  idle->Start();
  issuer_.signer.Fail(fakes::SignerFault::kUnavailable);
  const auto failing = Make();
  failing->Start();
  ASSERT_TRUE(Eventually([&] { return issuer_.signer.calls() >= 1; }));
}  // the destructors return

TEST_F(Publisher, ReadersSeeWholeListsWhileOthersPublish) {
  const auto publisher = Make();
  ASSERT_TRUE(publisher->PublishNow().ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) EXPECT_TRUE(publisher->PublishNow().ok());
  });
  uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const auto on_disk = OnDisk();
    ASSERT_TRUE(on_disk.ok()) << on_disk.error().detail;
    EXPECT_GE(on_disk->number, last);
    last = on_disk->number;
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace agentca::ca
