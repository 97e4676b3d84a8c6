#include "ca/crl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "ca/crl_entries.h"
#include "ca/der.h"
#include "ca/signed_object.h"
#include "tests/fakes/command.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

constexpr Time kNow{Seconds{1'800'000'000}};
constexpr Time kNext = kNow + Seconds(86400);

class Crl : public testing::Test {
 protected:
  Bytes Make(const std::vector<RevokedEntry>& entries, uint64_t number = 7) {
    CrlBuilder builder;
    for (const auto& entry : entries) builder.Add(entry);
    auto crl =
        MakeSigned(std::move(builder).Finish(issuer_.info, number, kNow, kNext), issuer_.signer);
    EXPECT_TRUE(crl.ok());
    return *crl;
  }
  Result<CrlSummary> Parse(ByteView der) { return ParseCrl(der, issuer_.signer.public_key()); }
  std::string ShowWith(const std::string& tool, ByteView crl) {
    fakes::WriteFile(directory_ / "crl.der", crl);
    const auto shown = fakes::RunCommand(tool + " " + (directory_ / "crl.der").string());
    EXPECT_EQ(shown.exit_code, 0) << shown.output;
    return shown.output;
  }

  fakes::PlainIssuer issuer_{kNow};
  fakes::TemporaryDirectory directory_;
};

RevokedEntry Entry(std::string_view serial, Reason reason, Time at = kNow) {
  return {*Serial::FromHex(serial), {at, reason}};
}

TEST_F(Crl, HasNoEntriesFieldWhenNothingIsRevoked) {
  const Bytes crl = Make({});
  const auto summary = Parse(crl);
  ASSERT_TRUE(summary.ok()) << summary.error().detail;
  EXPECT_EQ(summary->entries, 0u);
  EXPECT_EQ(summary->number, 7u);
  EXPECT_EQ(summary->this_update, kNow);
  EXPECT_EQ(summary->next_update, kNext);
  const std::string text = ShowWith("openssl crl -inform DER -noout -text -in", crl);
  EXPECT_NE(text.find("No Revoked Certificates."), std::string::npos) << text;
}

TEST_F(Crl, IsVisitedEntryByEntry) {
  const std::vector<RevokedEntry> entries = {
      Entry("0102", Reason::kKeyCompromise),
      Entry("ff03", Reason::kUnspecified, Time{Seconds{2'600'000'000}})};
  std::vector<RevokedEntry> seen;
  const auto keep = [&](const RevokedEntry& entry) -> Status {
    seen.push_back(entry);
    return {};
  };
  const auto summary = VisitCrl(Make(entries), issuer_.signer.public_key(), keep);
  ASSERT_TRUE(summary.ok()) << summary.error().detail;
  EXPECT_EQ(summary->number, 7u);
  ASSERT_EQ(seen.size(), entries.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].serial, entries[i].serial);
    EXPECT_EQ(seen[i].revocation.at, entries[i].revocation.at);
    EXPECT_EQ(seen[i].revocation.reason, entries[i].revocation.reason);
  }
  EXPECT_TRUE(VisitCrl(Make({}), issuer_.signer.public_key(), keep).ok());
  const fakes::PlainIssuer other(kNow);
  EXPECT_FALSE(VisitCrl(Make(entries), other.signer.public_key(), keep).ok());
  EXPECT_EQ(seen.size(), entries.size());
}

TEST_F(Crl, ReadsTheSameInOpenSsl) {
  const Bytes crl = Make({Entry("0102", Reason::kKeyCompromise),
                          Entry("ff03", Reason::kUnspecified, Time{Seconds{2'600'000'000}})},
                         uint64_t{1} << 40);
  const std::string text =
      ShowWith("openssl crl -inform DER -noout -nameopt RFC2253 -text -in", crl);
  for (const char* part :
       {"Version 2 (0x1)", "Issuer: CN=Test CA", "Last Update: Jan 15 08:00:00 2027 GMT",
        "Next Update: Jan 16 08:00:00 2027 GMT", "X509v3 Authority Key Identifier",
        "X509v3 CRL Number: ", "Serial Number: 0102", "Revocation Date: Jan 15 08:00:00 2027 GMT",
        "X509v3 CRL Reason Code: \n                Key Compromise", "Serial Number: FF03",
        "Revocation Date: May 22 14:13:20 2052 GMT"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  // RFC 5280 §5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using the
  // unspecified (0) reasonCode value."
  EXPECT_EQ(text.find("Unspecified"), std::string::npos);
}

TEST_F(Crl, VerifiesInOpenSslAgainstTheIssuer) {
  fakes::WriteFile(directory_ / "ca.pem", AsBytes(ToPem("CERTIFICATE", issuer_.certificate.der)));
  const std::string tool =
      "openssl crl -noout -CAfile " + (directory_ / "ca.pem").string() + " -inform DER -in";
  const std::string text = ShowWith(tool, Make({Entry("01", Reason::kSuperseded)}));
  EXPECT_NE(text.find("verify OK"), std::string::npos) << text;
}

TEST_F(Crl, ReadsTheSameInGnuTls) {
  const Bytes crl =
      Make({Entry("0102", Reason::kKeyCompromise), Entry("ff03", Reason::kUnspecified)});
  const std::string text = ShowWith("certtool --crl-info --inder --infile", crl);
  for (const char* part :
       {"CRL Number (not critical): 07", "Revoked certificates (2)", "Serial Number (hex): 0102",
        "Serial Number (hex): 00ff03", "Issued: Fri Jan 15 08:00:00 UTC 2027",
        "Next at: Sat Jan 16 08:00:00 UTC 2027"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(Crl, WorksWithEveryKeyType) {
  for (const fakes::TestKey type : {fakes::TestKey::kP256, fakes::TestKey::kP384,
                                    fakes::TestKey::kEd25519, fakes::TestKey::kRsa2048}) {
    fakes::PlainIssuer issuer(kNow, type);
    CrlBuilder builder;
    builder.Add(Entry("0a", Reason::kCaCompromise));
    const auto crl =
        MakeSigned(std::move(builder).Finish(issuer.info, 1, kNow, kNext), issuer.signer);
    ASSERT_TRUE(crl.ok()) << crl.error().detail;
    const auto summary = ParseCrl(*crl, issuer.signer.public_key());
    EXPECT_TRUE(summary.ok()) << static_cast<int>(type) << ": " << summary.error().detail;
  }
}

TEST_F(Crl, RefusesAnotherKeysSignature) {
  const fakes::PlainIssuer other(kNow);
  EXPECT_FALSE(ParseCrl(Make({}), other.signer.public_key()).ok());
}

TEST_F(Crl, RefusesEveryFlippedOctet) {
  const Bytes crl = Make({Entry("0102", Reason::kKeyCompromise)});
  for (size_t i = 0; i < crl.size(); ++i) {
    Bytes changed = crl;
    changed[i] ^= 0x01;
    EXPECT_FALSE(Parse(changed).ok()) << "octet " << i;
  }
}

TEST_F(Crl, RefusesEveryTruncationAndTrailingData) {
  Bytes crl = Make({Entry("0102", Reason::kKeyCompromise)});
  for (size_t size = 0; size < crl.size(); ++size)
    EXPECT_FALSE(Parse(ByteView(crl).first(size)).ok()) << size;
  crl.push_back(0);
  EXPECT_FALSE(Parse(crl).ok());
}

TEST_F(Crl, RefusesASignedListWithoutANumber) {
  const Bytes tbs =
      der::Sequence({der::Integer(1), AlgorithmIdentifier(issuer_.info.algorithm),
                     issuer_.info.subject, der::X509Time(kNow), der::X509Time(kNext)});
  const auto crl = MakeSigned(tbs, issuer_.signer);
  ASSERT_TRUE(crl.ok());
  const auto summary = Parse(*crl);
  ASSERT_FALSE(summary.ok());
  EXPECT_NE(summary.error().detail.find("number"), std::string::npos);
}

// Large enough that OpenSSL no longer builds an object for each entry.
TEST_F(Crl, HandlesAHundredThousandEntries) {
  std::vector<RevokedEntry> entries;
  CrlBuilder builder;
  for (uint32_t i = 0; i < 100'000; ++i) {
    const Bytes serial{0x41, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8),
                       static_cast<uint8_t>(i)};
    builder.Add({*Serial::FromBytes(serial), {kNow, Reason::kSuperseded}});
  }
  EXPECT_EQ(builder.size(), 100'000u);
  const auto crl =
      MakeSigned(std::move(builder).Finish(issuer_.info, 1, kNow, kNext), issuer_.signer);
  ASSERT_TRUE(crl.ok());
  const auto summary = Parse(*crl);
  ASSERT_TRUE(summary.ok()) << summary.error().detail;
  EXPECT_EQ(summary->entries, 100'000u);
  const std::string text = ShowWith("openssl crl -inform DER -noout -text -in", *crl);
  const std::string_view needle = "Serial Number: ";
  size_t count = 0;
  for (size_t at = 0; (at = text.find(needle, at)) != std::string::npos; at += needle.size())
    ++count;
  EXPECT_EQ(count, 100'000u);

  Bytes damaged = *crl;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_FALSE(Parse(damaged).ok());
}

}  // namespace
}  // namespace agentca::ca
