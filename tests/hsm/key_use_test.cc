#include "hsm/key_use.h"

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>

#include "ca/der.h"
#include "tests/fakes/test_signer.h"
#include "tests/hsm/to_be_signed.h"

namespace agentca::hsm {
namespace {

namespace der = ca::der;
using testdata::CertificateDraft;
using testdata::CrlDraft;
using testdata::OcspDraft;

class JudgeUseTest : public testing::Test {
 protected:
  std::string Refusal(const Bytes& message) const {
    const auto use = JudgeUse(message, scope_);
    if (use.ok()) return "";
    EXPECT_EQ(use.error().code, Code::kUnauthorized);
    return use.error().detail;
  }
  void ExpectRefused(const Bytes& message, const std::string& why) const {
    const std::string reason = Refusal(message);
    EXPECT_NE(reason.find(why), std::string::npos)
        << "for " << ToHex(message) << " it said: \"" << reason << "\"";
  }
  CertificateDraft Agent() const {
    CertificateDraft draft{.key = agent_key_};
    draft.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                        {"keyUsage", "critical,digitalSignature"},
                        {"extendedKeyUsage", "serverAuth,clientAuth"},
                        {"subjectAltName", "DNS:agent.example.test"}};
    return draft;
  }
  CertificateDraft With(const char* extension, const char* value) const {
    CertificateDraft draft{.key = agent_key_};
    draft.extensions = {{extension, value}};
    return draft;
  }

  const ca::PublicKey agent_key_ = fakes::NewPublicKey();
  const ca::PublicKey ca_key_ = fakes::NewPublicKey();
  const ca::PublicKey ocsp_key_ = fakes::NewPublicKey();
  KeyScope scope_{{Purpose::kCertificate, Purpose::kCrl, Purpose::kOcsp},
                  testdata::CommonName("Test CA"),
                  ca_key_,
                  {ocsp_key_}};
};

TEST_F(JudgeUseTest, KnowsACertificateByItsSerial) {
  const auto use = JudgeUse(Agent().ToTbs(), scope_);
  ASSERT_TRUE(use.ok()) << use.error().detail;
  EXPECT_EQ(use->purpose, Purpose::kCertificate);
  EXPECT_EQ(use->object, "4d");
  EXPECT_TRUE(use->not_after);
}

TEST_F(JudgeUseTest, KnowsACrlByItsNumber) {
  for (const size_t entries : {0u, 1u, 1000u}) {
    CrlDraft draft;
    draft.entries = entries;
    const auto use = JudgeUse(draft.ToTbs(), scope_);
    ASSERT_TRUE(use.ok()) << use.error().detail;
    EXPECT_EQ(use->purpose, Purpose::kCrl);
    EXPECT_EQ(use->object, "05");
  }
}

TEST_F(JudgeUseTest, KnowsAnOcspAnswerByTheSerialItIsAbout) {
  const auto use = JudgeUse(OcspDraft{ca_key_.key_identifier()}.ToTbs(), scope_);
  ASSERT_TRUE(use.ok()) << use.error().detail;
  EXPECT_EQ(use->purpose, Purpose::kOcsp);
  EXPECT_EQ(use->object, "09");
}

TEST_F(JudgeUseTest, RefusesEveryPurposeThatTheKeyDoesNotHave) {
  const Bytes certificate = Agent().ToTbs();
  const Bytes crl = CrlDraft().ToTbs();
  const Bytes ocsp = OcspDraft{ca_key_.key_identifier()}.ToTbs();
  scope_.purposes = {Purpose::kOcsp};
  ExpectRefused(certificate, "not for purpose certificate");
  ExpectRefused(crl, "not for purpose crl");
  EXPECT_EQ(Refusal(ocsp), "");
  scope_.purposes = {Purpose::kCertificate};
  EXPECT_EQ(Refusal(certificate), "");
  ExpectRefused(crl, "not for purpose crl");
  ExpectRefused(ocsp, "not for purpose ocsp");
  scope_.purposes = {};
  ExpectRefused(certificate, "not for purpose certificate");
}

TEST_F(JudgeUseTest, RefusesACaCertificateByAnyReading) {
  ExpectRefused(With("basicConstraints", "critical,CA:TRUE").ToTbs(), "CA certificate");
  ExpectRefused(With("basicConstraints", "CA:TRUE,pathlen:0").ToTbs(), "CA certificate");
  ExpectRefused(With("keyUsage", "keyCertSign").ToTbs(), "CA");
  ExpectRefused(With("keyUsage", "critical,digitalSignature,cRLSign").ToTbs(), "key usage of a CA");
  ExpectRefused(With("nsCertType", "sslCA").ToTbs(), "CA certificate");
  // RFC 3820 §3.8: ProxyCertInfo { { id-ppl-anyLanguage … } }
  ExpectRefused(
      With("1.3.6.1.5.5.7.1.14", "critical,DER:30:0C:30:0A:06:08:2B:06:01:05:05:07:15:01").ToTbs(),
      "CA certificate");
}

TEST_F(JudgeUseTest, RefusesTwoOpinionsOnTheSameExtension) {
  CertificateDraft draft = Agent();
  draft.extensions.emplace_back("basicConstraints", "CA:TRUE");
  ExpectRefused(draft.ToTbs(), "extension twice");
}

TEST_F(JudgeUseTest, RefusesExtensionsThatAreNotWellFormed) {
  ExpectRefused(With("basicConstraints", "DER:01:02:03").ToTbs(), "not well-formed");
  ExpectRefused(With("keyUsage", "DER:30:00").ToTbs(), "not well-formed");
  ExpectRefused(With("subjectAltName", "DER:04:00").ToTbs(), "not well-formed");
}

TEST_F(JudgeUseTest, LetsOnlyItsOwnOcspKeyBeADelegate) {
  CertificateDraft draft{.key = ocsp_key_};
  draft.extensions = {{"extendedKeyUsage", "OCSPSigning"}};
  EXPECT_EQ(Refusal(draft.ToTbs()), "");
  draft.key = agent_key_;
  ExpectRefused(draft.ToTbs(), "OCSP delegation");
  draft.extensions = {{"extendedKeyUsage", "serverAuth,OCSPSigning"}};
  ExpectRefused(draft.ToTbs(), "OCSP delegation");
  draft.extensions = {{"extendedKeyUsage", "anyExtendedKeyUsage"}};
  ExpectRefused(draft.ToTbs(), "any extended key usage");
}

TEST_F(JudgeUseTest, RefusesAForeignOrSelfIssuedCertificate) {
  CertificateDraft draft = Agent();
  draft.issuer = "Other CA";
  ExpectRefused(draft.ToTbs(), "another issuer");
  draft = Agent();
  draft.subject = "Test CA";
  ExpectRefused(draft.ToTbs(), "CA's own name");
}

TEST_F(JudgeUseTest, RefusesOldVersionsOtherAlgorithmsAndBadSerials) {
  CertificateDraft draft{.key = agent_key_};
  draft.version = 0;
  ExpectRefused(draft.ToTbs(), "TBSCertList");  // v1 has no version element: the serial comes first
  draft = Agent();
  draft.version = 1;
  ExpectRefused(draft.ToTbs(), "version 3");
  draft = Agent();
  draft.algorithm = ca::SignatureAlgorithm::kEcdsaSha384;
  ExpectRefused(draft.ToTbs(), "algorithm");
  draft = Agent();
  draft.serial = 0;
  ExpectRefused(draft.ToTbs(), "serial");
  draft.serial = -5;
  ExpectRefused(draft.ToTbs(), "serial");
}

TEST_F(JudgeUseTest, RefusesWhatIsNotWhollyOneObject) {
  for (Bytes message :
       {Agent().ToTbs(), CrlDraft().ToTbs(), OcspDraft{ca_key_.key_identifier()}.ToTbs()}) {
    Bytes longer = message;
    longer.push_back(0);
    ExpectRefused(longer, "not one DER sequence");
    message.pop_back();
    ExpectRefused(message, "not one DER sequence");
  }
  ExpectRefused({}, "not one DER sequence");
  ExpectRefused({0x30, 0x00}, "not one DER sequence");
  ExpectRefused({0x30, 0x80, 0x00, 0x00}, "not one DER sequence");
  ExpectRefused(ToBytes(AsBytes("sign me")), "not one DER sequence");
  ExpectRefused(der::Sequence({der::OctetString(Bytes(40))}), "neither");
}

TEST_F(JudgeUseTest, RefusesTheSameObjectInAnotherEncoding) {
  Bytes message = Agent().ToTbs();
  ASSERT_EQ(message[1], 0x82);
  message[1] = 0x83;  // the length in three octets where two suffice
  message.insert(message.begin() + 2, 0x00);
  ExpectRefused(message, "not one DER sequence");

  // [0] EXPLICIT DEFAULT v1 written out in front of an OCSP answer: BER, not DER.
  const Bytes ocsp = OcspDraft{ca_key_.key_identifier()}.ToTbs();
  const Bytes explicit_version = {0xa0, 0x03, 0x02, 0x01, 0x00};
  Bytes content(ocsp.begin() + 3, ocsp.end());
  content.insert(content.begin(), explicit_version.begin(), explicit_version.end());
  EXPECT_NE(Refusal(der::Tlv(der::kSequence, content)), "");
}

TEST_F(JudgeUseTest, NoOneOctetChangeMakesItSomethingElse) {
  const Bytes good = Agent().ToTbs();
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0x20, 0xff}) {
      Bytes changed = good;
      changed[i] = static_cast<uint8_t>(changed[i] ^ flip);
      const auto use = JudgeUse(changed, scope_);
      if (use.ok()) {
        EXPECT_EQ(use->purpose, Purpose::kCertificate);
      }
    }
  }
}

TEST_F(JudgeUseTest, RefusesForeignAndSpecialCrls) {
  CrlDraft draft;
  draft.issuer = "Other CA";
  ExpectRefused(draft.ToTbs(), "another issuer");
  draft = CrlDraft();
  draft.with_number = false;
  EXPECT_NE(Refusal(draft.ToTbs()), "");
  draft = CrlDraft();
  draft.version = {0x02, 0x01, 0x00};
  EXPECT_NE(Refusal(draft.ToTbs()), "");
  draft = CrlDraft();
  draft.algorithm = ca::SignatureAlgorithm::kRsaPkcs1Sha256;
  ExpectRefused(draft.ToTbs(), "algorithm");
  draft = CrlDraft();
  draft.more_extensions =
      der::Sequence({der::Oid("2.5.29.27"), der::Boolean(true), der::OctetString(der::Integer(1))});
  ExpectRefused(draft.ToTbs(), "delta");
  draft.more_extensions =
      der::Sequence({der::Oid("2.5.29.28"), der::Boolean(true),
                     der::OctetString(der::Tlv(der::kSequence, Bytes{0x84, 0x01, 0xff}))});
  ExpectRefused(draft.ToTbs(), "indirect");
}

TEST_F(JudgeUseTest, RefusesCrlEntriesOfAnotherShape) {
  const Bytes serial = der::Integer(1);
  const Bytes date = der::X509Time(Time(Seconds(1'800'000'000)));
  CrlDraft draft;
  for (const Bytes& entry : {der::Sequence({serial}), der::Sequence({date, serial}),
                             der::Concat({serial, date}), der::Sequence({serial, date, date}),
                             der::Sequence({serial, date, der::Sequence({}), der::Sequence({})}),
                             Bytes{0x30, 0x7f, 0x02, 0x01, 0x01}, Bytes{0x30, 0x80, 0x00, 0x00}}) {
    draft.raw_entries = entry;
    ExpectRefused(draft.ToTbs(), "not a version 2 TBSCertList");
  }
  draft.raw_entries = der::Sequence({serial, date, der::Sequence({})});
  EXPECT_EQ(Refusal(draft.ToTbs()), "");
}

std::chrono::nanoseconds ThreadTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST_F(JudgeUseTest, JudgesAMillionEntriesWellWithinADeadline) {
  CrlDraft draft;
  draft.entries = 1'000'000;
  const Bytes message = draft.ToTbs();
  ASSERT_GT(message.size(), size_t{30} << 20);
  const auto before = ThreadTime();
  EXPECT_EQ(Refusal(message), "");
  // Parsing the entries into objects takes 11 s without sanitizers; this is a walk.
  EXPECT_LT(ThreadTime() - before, std::chrono::seconds(4));
}

TEST_F(JudgeUseTest, RefusesOcspAnswersOfOthers) {
  ExpectRefused(OcspDraft{ocsp_key_.key_identifier()}.ToTbs(), "another responder");
  OcspDraft draft{ca_key_.key_identifier()};
  draft.answers = 0;
  EXPECT_NE(Refusal(draft.ToTbs()), "");
  draft = OcspDraft{ca_key_.key_identifier()};
  draft.responder = der::Tlv(der::Constructed(1), testdata::CommonName("Test CA"));
  EXPECT_NE(Refusal(draft.ToTbs()), "");
}

}  // namespace
}  // namespace agentca::hsm
