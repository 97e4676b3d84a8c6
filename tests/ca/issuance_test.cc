#include "ca/issuance.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

using Fault = fakes::FakeCertificateStore::Fault;
using fakes::SignerFault;

const Time kNow = fakes::ManualClock().Now();

// Gives the same octets for a while, as a broken generator would.
class StuckRandom final : public Random {
 public:
  explicit StuckRandom(int fills) : fills_(fills) {}
  void Fill(std::span<uint8_t> out) override {
    std::fill(out.begin(), out.end(), uint8_t{0x11});
    if (fills_-- <= 0) random_.Fill(out);
  }

 private:
  int fills_;
  fakes::SeededRandom random_;
};

class IssuanceTest : public testing::Test {
 protected:
  IssuanceTest() : audit_(ChainedLog::Open(directory_ / "audit.log").value()) {}

  Result<Certificate> Issue() { return Issue(random_); }
  Result<Certificate> Issue(Random& random) {
    CertificateRequest request = fakes::MakeRequest({"a.test"});
    request.reference = "order 1";
    request.owner = "account 1";
    return Issuance(*ca_.issuer, store_, *audit_, random, 1)
        .Issue(fakes::ServerProfile(), request, kNow);
  }

  CertificateRecord Record() { return store_.FindByReference("order 1").value(); }

  // The events of the audit log in order, each as one line.
  std::vector<std::string> AuditLines() {
    std::ifstream in(directory_ / "audit.log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> AuditEvents() {
    std::vector<std::string> events;
    for (const std::string& line : AuditLines())
      for (const char* event : {"intent", "issued", "abandoned", "refused"})
        if (line.find("\"event\":\"" + std::string(event) + "\"") != std::string::npos)
          events.emplace_back(event);
    return events;
  }

  using Events = std::vector<std::string>;
  fakes::TemporaryDirectory directory_;
  std::unique_ptr<ChainedLog> audit_;
  fakes::SeededRandom random_;
  fakes::FakeCertificateStore store_;
  fakes::TestIssuer ca_ = fakes::MakeIssuer();
};

TEST_F(IssuanceTest, RecordsIntentBytesCertificateAndAudit) {
  const auto certificate = Issue();
  ASSERT_TRUE(certificate.ok()) << certificate.error().detail;
  const CertificateRecord record = Record();
  EXPECT_EQ(record.state, SerialState::kIssued);
  EXPECT_EQ(record.der, certificate->der);
  EXPECT_EQ(record.serial, certificate->serial);
  EXPECT_EQ(AuditEvents(), (Events{"intent", "issued"}));
  const std::string intent = AuditLines().front();
  for (const std::string& part :
       {"\"serial\":\"" + record.serial.ToString() + "\"",
        "\"issuer\":\"" + ca_.issuer->id() + "\"", std::string("\"profile\":\"server\""),
        std::string("\"owner\":\"account 1\""), std::string("\"reference\":\"order 1\""),
        std::string("\"names\":\"dns:a.test\""),
        "\"tbs_sha256\":\"" + ToHex(Sha256(record.tbs)) + "\""})
    EXPECT_NE(intent.find(part), std::string::npos) << part << " in " << intent;
}

TEST_F(IssuanceTest, SignsNothingWhenTheIntentIsNotRecorded) {
  for (Fault fault : {Fault::kFails, Fault::kFailsButPersists}) {
    store_.SetFaultOfWrite(1, fault);
    const int before = ca_.signer->calls();
    EXPECT_EQ(Issue().error().code, Code::kUnavailable);
    EXPECT_EQ(ca_.signer->calls(), before);
  }
  EXPECT_EQ(Record().state, SerialState::kAbandoned) << "the intent that persisted is settled";
  EXPECT_EQ(AuditEvents(), (Events{"intent", "abandoned", "intent", "abandoned"}));
}

// A journal that refuses before anything is recorded, as an order does that is not ready.
class RefusingJournal final : public Journal {
 public:
  Status RecordIntent(const Ticket&, Time) override {
    return Error{Code::kOrderNotReady, "not ready"};
  }
  Status RecordCertificate(const Certificate&, const IssuerId&) override {
    return Error{Code::kInternal, "never called"};
  }
};

TEST_F(IssuanceTest, SaysInTheLogThatAnIntentWasRefused) {
  RefusingJournal journal;
  const int before = ca_.signer->calls();
  const auto refused =
      Issuance(*ca_.issuer, store_, *audit_, random_, 1)
          .Issue(fakes::ServerProfile(), fakes::MakeRequest({"a.test"}), kNow, journal);
  EXPECT_EQ(refused.error().code, Code::kOrderNotReady);
  EXPECT_EQ(ca_.signer->calls(), before);
  EXPECT_TRUE(store_.List({}).value().empty());
  EXPECT_EQ(AuditEvents(), (Events{"intent", "refused"}));
}

TEST_F(IssuanceTest, RefusedRequestsLeaveNoTrace) {
  CertificateRequest request = fakes::MakeRequest({"UPPER.test"});
  const auto refused = Issuance(*ca_.issuer, store_, *audit_, random_, 1)
                           .Issue(fakes::ServerProfile(), request, kNow);
  EXPECT_EQ(refused.error().code, Code::kRejectedIdentifier);
  EXPECT_TRUE(store_.List({}).value().empty());
  EXPECT_EQ(AuditEvents(), Events{});
}

TEST_F(IssuanceTest, AbandonsTheSerialWhenTheSignatureFails) {
  for (SignerFault fault : {SignerFault::kUnavailable, SignerFault::kWrongSignature}) {
    ca_.signer->Fail(fault);
    EXPECT_FALSE(Issue().ok());
  }
  const auto records = store_.List({}).value();
  ASSERT_EQ(records.size(), 2U) << "one serial each, never signed again";
  for (const CertificateRecord& record : records) {
    EXPECT_EQ(record.state, SerialState::kAbandoned);
    EXPECT_TRUE(record.revocation.has_value());
  }
  EXPECT_EQ(AuditEvents(), (Events{"intent", "abandoned", "intent", "abandoned"}));
}

TEST_F(IssuanceTest, AbandonsTheSerialWhenTheCertificateIsNotRecorded) {
  store_.SetFaultOfWrite(2, Fault::kFails);
  EXPECT_EQ(Issue().error().code, Code::kUnavailable);
  EXPECT_EQ(Record().state, SerialState::kAbandoned);
  EXPECT_EQ(AuditEvents(), (Events{"intent", "issued", "abandoned"}));
}

TEST_F(IssuanceTest, RecognisesACertificateRecordedByAWriteThatFailed) {
  store_.SetFaultOfWrite(2, Fault::kFailsButPersists);
  const auto certificate = Issue();
  ASSERT_TRUE(certificate.ok()) << certificate.error().detail;
  EXPECT_EQ(Record().state, SerialState::kIssued);
  EXPECT_FALSE(Record().revocation.has_value());
  EXPECT_EQ(AuditEvents(), (Events{"intent", "issued"}));
}

TEST_F(IssuanceTest, RetriesASerialThatIsInUse) {
  StuckRandom once(2);  // the second issuance meets the first's serial once
  ASSERT_TRUE(Issue(once).ok());
  ASSERT_TRUE(Issue(once).ok());
  EXPECT_EQ(store_.List({}).value().size(), 2U);
}

TEST_F(IssuanceTest, StopsWhenSerialsRepeat) {
  StuckRandom always(1'000'000);
  ASSERT_TRUE(Issue(always).ok());
  EXPECT_EQ(Issue(always).error().code, Code::kInternal);
  EXPECT_EQ(Record().state, SerialState::kIssued) << "the serial of the other certificate lives";
}

TEST_F(IssuanceTest, SettlesWhatAnEarlierProcessLeft) {
  const Ticket ticket = ca_.issuer
                            ->Prepare(fakes::ServerProfile(), fakes::MakeRequest({"a.test"}),
                                      Serial::Random(1, random_), kNow)
                            .value();
  ASSERT_TRUE(store_.RecordIntent(ticket, kNow - Seconds(10)).ok());
  ASSERT_TRUE(AbandonInterrupted(store_, *audit_, WorkScope::kOwnAndDead, kNow).ok());
  EXPECT_EQ(store_.StatusOf(ca_.issuer->id(), ticket.serial())->state, SerialState::kAbandoned);
  EXPECT_EQ(AuditEvents(), Events{"abandoned"});
  ASSERT_TRUE(AbandonInterrupted(store_, *audit_, WorkScope::kOwnAndDead, kNow).ok());
  EXPECT_EQ(AuditEvents(), Events{"abandoned"}) << "nothing is left the second time";
}

TEST_F(IssuanceTest, LeavesTheIntentsOfThisProcessAlone) {
  const Ticket ticket = ca_.issuer
                            ->Prepare(fakes::ServerProfile(), fakes::MakeRequest({"a.test"}),
                                      Serial::Random(1, random_), kNow)
                            .value();
  ASSERT_TRUE(store_.RecordIntent(ticket, kNow - Seconds(10)).ok());
  ASSERT_TRUE(AbandonInterrupted(store_, *audit_, WorkScope::kDead, kNow).ok());
  EXPECT_EQ(store_.StatusOf(ca_.issuer->id(), ticket.serial())->state, SerialState::kIntent);
}

TEST_F(IssuanceTest, SaysWhenTheSweepCannotReachTheStore) {
  store_.SetFault(Fault::kFails);
  EXPECT_EQ(AbandonInterrupted(store_, *audit_, WorkScope::kDead, kNow).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace agentca::ca
