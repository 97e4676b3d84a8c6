#include "ca/lint.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ca/der.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

// One sound TBSCertificate and what it was meant to be; each test changes either side.
class Lint : public testing::Test {
 protected:
  Lint() : profile_(fakes::ServerProfile()), request_(fakes::MakeRequest({"a.test", "b.test"})) {
    ca_ = fakes::MakeIssuer();
    info_ = std::make_unique<IssuerInfo>(ca_.issuer->info());
    request_.ip_addresses = {{192, 0, 2, 7}};
    request_.uris = {"spiffe://example.test/agent/1"};
    Build();
  }

  void Build() {
    tbs_ = BuildTbsCertificate(profile_, *info_, request_,
                               Serial::FromHex("0102030405060708090a0b0c0d").value(),
                               fakes::ManualClock().Now())
               .value();
  }

  // Exchanges the only occurrence of `from` for `to`, which is as long.
  void Patch(const std::string& from, const std::string& to) {
    std::string hex = ToHex(tbs_);
    ASSERT_EQ(from.size(), to.size());
    const size_t at = hex.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    ASSERT_EQ(hex.find(from, at + 1), std::string::npos) << from;
    tbs_ = FromHex(hex.replace(at, from.size(), to)).value();
  }

  std::vector<std::string> Findings() const {
    return LintTbsCertificate(tbs_, profile_, *info_, request_);
  }
  testing::AssertionResult Finds(std::string_view finding) const {
    const auto findings = Findings();
    if (std::find(findings.begin(), findings.end(), finding) != findings.end())
      return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "not found: " << finding;
    for (const std::string& other : findings) failure << "; " << other;
    return failure;
  }

  Profile profile_;
  CertificateRequest request_;
  fakes::TestIssuer ca_;
  std::unique_ptr<IssuerInfo> info_;
  Bytes tbs_;
};

TEST_F(Lint, IsSilentAboutWhatWasMeant) { EXPECT_EQ(Findings(), std::vector<std::string>{}); }

TEST_F(Lint, IsSilentAboutEveryKindOfCertificate) {
  for (const Profile& profile : {fakes::CaProfile(), fakes::OcspProfile()}) {
    profile_ = profile;
    request_ = fakes::MakeRequest({});
    Build();
    EXPECT_EQ(Findings(), std::vector<std::string>{}) << profile.name();
  }
  RawProfile raw = fakes::RawCaProfile();
  raw.permitted_dns = {"example.test"};
  raw.policies = {"1.3.6.1.4.1.99999.1", "2.23.140.1.2.1"};
  profile_ = Profile::Make(raw).value();
  Build();
  EXPECT_EQ(Findings(), std::vector<std::string>{});
  raw.allow_ip_addresses = true;
  EXPECT_FALSE(LintTbsCertificate(tbs_, Profile::Make(raw).value(), *info_, request_).empty());
}

TEST_F(Lint, FindsBytesThatAreNoTbsCertificate) {
  tbs_.push_back(0);
  EXPECT_TRUE(Finds("OpenSSL cannot read the TBSCertificate"));
  tbs_.resize(tbs_.size() - 2);
  EXPECT_TRUE(Finds("OpenSSL cannot read the TBSCertificate"));
}

TEST_F(Lint, FindsEncodingsThatAreNotDer) {
  Patch("0603551d130101ff", "0603551d13010101");  // TRUE is 0xff (X.690 §11.1)
  EXPECT_TRUE(Finds("TBSCertificate is not DER"));
}

TEST_F(Lint, FindsAnotherVersion) {
  Patch("a003020102", "a003020101");
  EXPECT_TRUE(Finds("version is not 3"));
}

TEST_F(Lint, FindsSerialsThatAreNotPositive) {
  Patch("020d0102030405060708090a0b0c0d", "020d8102030405060708090a0b0c0d");
  EXPECT_TRUE(Finds("serial number is not positive"));
}

TEST_F(Lint, FindsAnotherSignatureAlgorithm) {
  info_->algorithm = SignatureAlgorithm::kEcdsaSha384;
  EXPECT_TRUE(Finds("signature algorithm is not the issuer's"));
}

TEST_F(Lint, FindsAnotherIssuer) {
  info_->subject = EncodeName({{Attribute::kCommonName, "Somebody else"}}).value();
  EXPECT_TRUE(Finds("issuer is not the subject of the issuing certificate"));
}

TEST_F(Lint, FindsAnotherSubject) {
  request_.subject = Name{{Attribute::kCommonName, "b.test"}};
  EXPECT_TRUE(Finds("subject is not the one of profile and request"));
}

TEST_F(Lint, FindsValidityBeyondTheProfile) {
  RawProfile raw = fakes::RawServerProfile();
  raw.lifetime_seconds -= 1;
  profile_ = Profile::Make(raw).value();
  EXPECT_TRUE(Finds("validity is longer than the profile's lifetime"));
}

TEST_F(Lint, FindsValidityBeyondTheLifetimeAskedFor) {
  request_.lifetime = Seconds(86400);
  EXPECT_TRUE(Finds("validity is longer than the lifetime asked for"));
  Build();
  EXPECT_EQ(Findings(), std::vector<std::string>{});
}

TEST_F(Lint, FindsTimesThatWereNotOrdered) {
  request_.not_before = fakes::ManualClock().Now();
  request_.not_after = fakes::ManualClock().Now() + Seconds(60);
  EXPECT_TRUE(Finds("notBefore is not the one ordered"));
  EXPECT_TRUE(Finds("notAfter is not the one ordered"));
}

TEST_F(Lint, FindsInvertedAndMisshapenTimes) {
  // 2027-01-15T07:00:00Z: exchanged for one later than notAfter, and for one without seconds.
  Patch(ToHex(AsBytes("270115070000Z")), ToHex(AsBytes("280115070000Z")));
  EXPECT_TRUE(Finds("notAfter is not after notBefore"));
  Patch(ToHex(AsBytes("280115070000Z")), ToHex(AsBytes("2801150700+00")));
  EXPECT_TRUE(Finds("validity is not in the form of RFC 5280"));
}

TEST_F(Lint, FindsAnotherKey) {
  request_.key = fakes::NewPublicKey();
  EXPECT_TRUE(Finds("public key is not the one of the request"));
  EXPECT_TRUE(Finds("subjectKeyIdentifier is not the hash of the key"));
}

TEST_F(Lint, FindsKeysTheProfileDoesNotAllow) {
  RawProfile raw = fakes::RawServerProfile();
  raw.allowed_keys = {"p384", "rsa2048"};
  profile_ = Profile::Make(raw).value();
  EXPECT_TRUE(Finds("public key is of a type that the profile does not allow"));
}

TEST_F(Lint, FindsNamesMoreOrLess) {
  request_.dns_names.pop_back();
  EXPECT_TRUE(Finds("subjectAltName is not what was asked for"));
  request_.dns_names = {"a.test", "b.test"};
  request_.uris.clear();
  EXPECT_TRUE(Finds("subjectAltName is not what was asked for"));
  request_.uris = {"spiffe://example.test/agent/1"};
  request_.ip_addresses = {{192, 0, 2, 8}};
  EXPECT_TRUE(Finds("subjectAltName is not what was asked for"));
}

TEST_F(Lint, FindsNamesThatAreNoHostNames) {
  Patch("8206" + ToHex(AsBytes("b.test")), "8206" + ToHex(AsBytes("B_test")));
  EXPECT_TRUE(Finds("subjectAltName has a DNS name that is not one"));
  Patch("8206" + ToHex(AsBytes("B_test")), "8106" + ToHex(AsBytes("B_test")));
  EXPECT_TRUE(Finds("subjectAltName has a name of another type"));
}

TEST_F(Lint, FindsWrongCriticalBits) {
  request_.subject = Name{};
  Build();
  EXPECT_EQ(Findings(), std::vector<std::string>{});
  Patch("0603551d110101ff", "0603551d11010100");
  EXPECT_TRUE(Finds("subjectAltName is not critical"));
}

TEST_F(Lint, FindsACaBitNobodyMeant) {
  profile_ = fakes::CaProfile();
  request_ = fakes::MakeRequest({});
  Build();
  profile_ = fakes::ServerProfile();
  EXPECT_TRUE(Finds("CA bit is not the profile's"));
  EXPECT_TRUE(Finds("path length is not the profile's"));
  EXPECT_TRUE(Finds("keyUsage is not the profile's"));
  EXPECT_TRUE(Finds("keyCertSign and the CA bit disagree"));
  EXPECT_TRUE(Finds("extKeyUsage is missing"));
}

TEST_F(Lint, FindsAnotherKeyUsage) {
  Patch("0603551d0f0101ff040403020780", "0603551d0f0101ff0404030206c0");
  EXPECT_TRUE(Finds("keyUsage is not the profile's"));
}

TEST_F(Lint, FindsAnotherExtendedKeyUsage) {
  RawProfile raw = fakes::RawServerProfile();
  raw.extended_key_usage = {"clientAuth"};
  profile_ = Profile::Make(raw).value();
  EXPECT_TRUE(Finds("extKeyUsage is not the profile's"));
}

TEST_F(Lint, FindsAnotherAuthorityKeyAndOtherPointers) {
  info_->key_identifier = Bytes(20, 1);
  info_->ocsp_url = "http://elsewhere.test/";
  info_->crl_url.clear();
  EXPECT_TRUE(Finds("authorityKeyIdentifier is not the issuer's"));
  EXPECT_TRUE(Finds("authorityInfoAccess is not the issuer's"));
  EXPECT_TRUE(Finds("cRLDistributionPoints is not wanted"));
}

TEST_F(Lint, FindsExtensionsNobodyAskedFor) {
  // 1.3.6.1.5.5.7.1.24, TLS feature: status_request
  const Bytes extra = der::Sequence(
      {der::Oid("1.3.6.1.5.5.7.1.24"), der::OctetString(der::Sequence({der::Integer(5)}))});
  request_.extra_extensions = {extra};
  Build();
  EXPECT_EQ(Findings(), std::vector<std::string>{});
  request_.extra_extensions.clear();
  EXPECT_TRUE(Finds("extension 1.3.6.1.5.5.7.1.24 was not asked for"));
  request_.extra_extensions = {extra, extra};
  Build();
  EXPECT_TRUE(Finds("extension 1.3.6.1.5.5.7.1.24 is there twice"));
}

TEST_F(Lint, FindsASecondCopyOfAKnownExtension) {
  request_.extra_extensions = {
      der::Sequence({der::Oid("2.5.29.17"), der::OctetString(der::Sequence({}))})};
  Build();
  EXPECT_TRUE(Finds("extension 2.5.29.17 is there twice"));
}

}  // namespace
}  // namespace agentca::ca
