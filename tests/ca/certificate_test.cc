#include "ca/certificate.h"

#include <gtest/gtest.h>

#include <set>

#include "ca/der.h"
#include "ca/lint.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

using fakes::TestKey;

const Time kNow = fakes::ManualClock().Now();

// ---- Serial -------------------------------------------------------------------------------------

TEST(Serial, HasItsPrefixAnd96RandomBits) {
  OpenSslRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Serial serial = Serial::Random(127, random);
    ASSERT_EQ(serial.bytes().size(), 13U);
    EXPECT_EQ(serial.bytes().front(), 127);
    seen.insert(serial.ToString());
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Serial, IsPositiveAndAtMost20Octets) {
  EXPECT_FALSE(Serial::FromBytes({}).ok());
  EXPECT_FALSE(Serial::FromBytes(Bytes{0, 0}).ok());
  EXPECT_EQ(Serial::FromBytes(Bytes{0, 0, 5}).value().ToString(), "05");
  EXPECT_TRUE(Serial::FromBytes(Bytes(20, 0x7f)).ok());
  EXPECT_FALSE(Serial::FromBytes(Bytes(20, 0x80)).ok()) << "the sign octet counts";
  EXPECT_TRUE(Serial::FromBytes(Bytes(19, 0x80)).ok());
  EXPECT_FALSE(Serial::FromBytes(Bytes(21, 0x01)).ok());
}

TEST(Serial, ReadsWhatItWrites) {
  fakes::SeededRandom random;
  const Serial serial = Serial::Random(1, random);
  EXPECT_EQ(Serial::FromHex(serial.ToString()).value(), serial);
  for (const char* bad : {"", "0", "xyz", "00", "0102 "}) EXPECT_FALSE(Serial::FromHex(bad).ok());
}

TEST(Reason, ReadsWhatRfc5280Names) {
  for (int64_t value : {0, 1, 2, 3, 4, 5, 6, 8, 9, 10}) {
    const Reason reason = ReasonFromInt(value).value();
    EXPECT_EQ(ReasonFromString(ToString(reason)).value(), reason);
  }
  for (int64_t bad : {int64_t{-1}, int64_t{7}, int64_t{11}, int64_t{256}, INT64_MAX})
    EXPECT_EQ(ReasonFromInt(bad).error().code, Code::kBadRevocationReason);
  EXPECT_FALSE(ReasonFromString("KeyCompromise").ok());
}

// ---- TBSCertificate -----------------------------------------------------------------------------

constexpr std::string_view kP256Point =  // the base point: any fixed key will do
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

PublicKey FixedKey() {
  const Bytes point = FromHex(kP256Point).value();
  return PublicKey::FromEcPoint(KeyType::kP256, std::span(point).first(32),
                                std::span(point).last(32))
      .value();
}

IssuerInfo FixedIssuer() {
  return {"0011223344556677",
          EncodeName({{Attribute::kCommonName, "Issuer"}}).value(),
          Bytes(20, 0xaa),
          "http://ca.test/ocsp",
          "http://ca.test/i.der",
          "http://ca.test/i.crl",
          SignatureAlgorithm::kEcdsaSha256};
}

Result<Bytes> Build(const Profile& profile, const CertificateRequest& request, Time now = kNow) {
  return BuildTbsCertificate(profile, FixedIssuer(), request,
                             Serial::FromHex("0100000000000000000000ffff").value(), now);
}

// Read and found to be what it says by `openssl x509` and `certtool`.
constexpr std::string_view kGolden =
    // TBSCertificate
    "308201d9"
    // version 3
    "a003020102"
    // serial
    "020d0100000000000000000000ffff"
    // ecdsa-with-SHA256
    "300a06082a8648ce3d040302"
    // CN=Issuer
    "3011310f300d06035504030c06497373756572"
    // validity
    "301e170d3237303131353037303030305a170d3237303431353036353935395a"
    // CN=a.test
    "3011310f300d06035504030c06612e74657374"
    // P-256 key
    "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277"
    "037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837"
    "bf51f5"
    // [3] Extensions
    "a382011430820110"
    // basicConstraints
    "300c0603551d130101ff04023000"
    // keyUsage
    "300e0603551d0f0101ff040403020780"
    // extKeyUsage
    "301d0603551d250416301406082b0601050507030106082b06010505070302"
    // subjectKeyIdentifier
    "301d0603551d0e04160414b467a3999eb5efa671de0032f08a9c9e5efda0e1"
    // authorityKeyIdentifier
    "301f0603551d23041830168014aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    // authorityInfoAccess
    "305106082b0601050507010104453043301f06082b060105050730018613687474703a2f2f63612e74657374"
    "2f6f637370302006082b060105050730028614687474703a2f2f63612e746573742f692e646572"
    // cRLDistributionPoints
    "30250603551d1f041e301c301aa018a0168614687474703a2f2f63612e746573742f692e63726c"
    // subjectAltName
    "30170603551d110410300e8206612e746573748704c0000207";

TEST(TbsCertificate, EqualsTheGoldenOctets) {
  CertificateRequest request{.key = FixedKey()};
  request.dns_names = {"a.test"};
  request.ip_addresses = {{192, 0, 2, 7}};
  const Bytes tbs = Build(fakes::ServerProfile(), request).value();
  EXPECT_EQ(ToHex(tbs), kGolden);
}

TEST(TbsCertificate, LeavesACommonNameOutThatIsTooLong) {
  const std::string name = std::string(60, 'a') + ".example.test";
  const CertificateRequest request = fakes::MakeRequest({name});
  const Bytes tbs = Build(fakes::ServerProfile(), request).value();
  EXPECT_TRUE(LintTbsCertificate(tbs, fakes::ServerProfile(), FixedIssuer(), request).empty());
  const std::string hex = ToHex(tbs);
  EXPECT_EQ(hex.find(ToHex(der::Oid("2.5.4.3"))), hex.rfind(ToHex(der::Oid("2.5.4.3"))))
      << "only the issuer has a CN";
  // Empty subject: the SAN is critical (RFC 5280 §4.2.1.6).
  EXPECT_NE(hex.find("0603551d110101ff"), std::string::npos);
}

TEST(TbsCertificate, RefusesNamesTheProfileDoesNotAllow) {
  RawProfile raw = fakes::RawServerProfile();
  raw.allow_wildcards = raw.allow_ip_addresses = false;
  raw.max_names = 2;
  const Profile strict = Profile::Make(raw).value();
  const auto code = [&](CertificateRequest request) { return Build(strict, request).error().code; };
  EXPECT_TRUE(Build(strict, fakes::MakeRequest({"a.test", "b.test"})).ok());
  EXPECT_EQ(code(fakes::MakeRequest({"*.a.test"})), Code::kRejectedIdentifier);
  EXPECT_EQ(code(fakes::MakeRequest({"a.test", "b.test", "c.test"})), Code::kRejectedIdentifier);
  EXPECT_EQ(code(fakes::MakeRequest({"a.test", "a.test"})), Code::kRejectedIdentifier);
  EXPECT_EQ(code(fakes::MakeRequest({"A.test"})), Code::kRejectedIdentifier);
  CertificateRequest ip = fakes::MakeRequest({});
  ip.ip_addresses = {{127, 0, 0, 1}};
  EXPECT_EQ(code(ip), Code::kRejectedIdentifier);
  CertificateRequest uri = fakes::MakeRequest({});
  uri.uris = {"no scheme"};
  EXPECT_EQ(code(uri), Code::kRejectedIdentifier);
}

TEST(TbsCertificate, RefusesKeysTheProfileDoesNotAllow) {
  RawProfile raw = fakes::RawServerProfile();
  raw.allowed_keys = {"p384", "rsa3072"};
  const Profile strict = Profile::Make(raw).value();
  EXPECT_TRUE(Build(strict, fakes::MakeRequest({"a.test"}, TestKey::kP384)).ok());
  for (TestKey type : {TestKey::kP256, TestKey::kEd25519, TestKey::kRsa2048})
    EXPECT_EQ(Build(strict, fakes::MakeRequest({"a.test"}, type)).error().code,
              Code::kBadPublicKey);
}

TEST(TbsCertificate, RefusesToNameNobody) {
  EXPECT_EQ(Build(fakes::ServerProfile(), fakes::MakeRequest({})).error().code, Code::kBadCsr);
  CertificateRequest nameless_ca = fakes::MakeRequest({});
  nameless_ca.subject = Name{};
  EXPECT_EQ(Build(fakes::CaProfile(), nameless_ca).error().code, Code::kBadCsr);
}

TEST(TbsCertificate, HonoursOrderedTimesExactlyOrRefuses) {
  const Profile profile = fakes::ServerProfile();
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  const auto choose = [&](std::optional<Time> not_before, std::optional<Time> not_after) {
    request.not_before = not_before;
    request.not_after = not_after;
    return ChooseValidity(profile, request, kNow);
  };
  const Validity usual = choose({}, {}).value();
  EXPECT_EQ(usual.not_before, kNow - profile.backdate());
  EXPECT_EQ(usual.not_after - usual.not_before + Seconds(1), profile.lifetime());
  const Validity ordered = choose(kNow, kNow + Seconds(60)).value();
  EXPECT_EQ(ordered.not_before, kNow);
  EXPECT_EQ(ordered.not_after, kNow + Seconds(60));
  EXPECT_EQ(choose(kNow + Seconds(86400), {})->not_after, kNow + profile.lifetime() - Seconds(1))
      << "starting later does not mean ending later";
  EXPECT_FALSE(choose(kNow - profile.backdate() - Seconds(1), {}).ok());
  EXPECT_FALSE(choose(kNow + profile.lifetime(), {}).ok());
  EXPECT_FALSE(choose({}, kNow + profile.lifetime()).ok());
  EXPECT_FALSE(choose({}, kNow).ok());
  EXPECT_FALSE(choose(kNow, kNow - Seconds(1)).ok());
  EXPECT_EQ(choose({}, kNow).error().code, Code::kMalformed);
}

TEST(TbsCertificate, TakesAShorterLifetimeFromTheRequest) {
  const Profile profile = fakes::ServerProfile();  // 90 days, backdated an hour
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  const auto choose = [&](Seconds lifetime) {
    request.lifetime = lifetime;
    return ChooseValidity(profile, request, kNow);
  };
  const Validity day = choose(Seconds(86400)).value();
  EXPECT_EQ(day.not_before, kNow - Seconds(3600));
  EXPECT_EQ(day.not_after - day.not_before + Seconds(1), Seconds(86400));
  const Validity quarter = choose(Seconds(900)).value();
  EXPECT_EQ(quarter.not_before, kNow - Seconds(90)) << "backdated by a tenth";
  EXPECT_EQ(quarter.not_after, kNow + Seconds(809));
  const Validity beyond = choose(profile.lifetime() * 2).value();
  EXPECT_EQ(beyond.not_after - beyond.not_before + Seconds(1), profile.lifetime());
  EXPECT_FALSE(choose(Seconds(0)).ok());
  EXPECT_FALSE(choose(Seconds(-1)).ok());
  EXPECT_FALSE(choose(Seconds::min()).ok());
  // What is ordered is held to it as well.
  request.not_after = kNow + Seconds(900);
  EXPECT_FALSE(choose(Seconds(900)).ok());
  request.not_after = kNow + Seconds(800);
  EXPECT_EQ(choose(Seconds(900))->not_after, kNow + Seconds(800));
  request.not_after.reset();
  request.not_before = kNow - Seconds(91);
  EXPECT_FALSE(choose(Seconds(900)).ok());
}

TEST(TbsCertificate, WritesThePoliciesOfProfileAndRequest) {
  RawProfile raw = fakes::RawServerProfile();
  raw.policies = {"1.2.3"};
  const Profile profile = Profile::Make(raw).value();
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  request.policies = {"1.3.6.1.4.1.32473.1.2.3", "1.2.4"};
  const Bytes tbs = Build(profile, request).value();
  const Bytes wanted = der::Sequence({der::Sequence({der::Oid("1.2.3")}),
                                      der::Sequence({der::Oid("1.3.6.1.4.1.32473.1.2.3")}),
                                      der::Sequence({der::Oid("1.2.4")})});
  EXPECT_NE(ToHex(tbs).find(ToHex(wanted)), std::string::npos);
  EXPECT_TRUE(LintTbsCertificate(tbs, profile, FixedIssuer(), request).empty());
  request.policies.pop_back();
  EXPECT_EQ(LintTbsCertificate(tbs, profile, FixedIssuer(), request),
            std::vector<std::string>{"certificatePolicies is not that of profile and request"});
  for (const char* bad : {"1.2.3", "", "1.2.a", "9.9"}) {
    request.policies = {bad};
    EXPECT_EQ(Build(profile, request).error().code, Code::kMalformed) << bad;
  }
  request.policies = {"1.2.5", "1.2.5"};
  EXPECT_EQ(Build(profile, request).error().code, Code::kMalformed);
}

TEST(TbsCertificate, RefusesSpiffeIdsThatAreNoneOrNotAlone) {
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  for (const auto& uris : {std::vector<std::string>{"spiffe://a/b/"},
                           {"spiffe://a"},
                           {"spiffe://a/b", "spiffe://a/c"},
                           {"https://a/", "spiffe://a/b"}}) {
    request.uris = uris;
    EXPECT_EQ(Build(fakes::ServerProfile(), request).error().code, Code::kRejectedIdentifier)
        << uris[0];
  }
}

TEST(TbsCertificate, GivesAnOcspDelegateNoCheckAndNoPointers) {
  const Bytes tbs = Build(fakes::OcspProfile(), fakes::MakeRequest({})).value();
  const std::string hex = ToHex(tbs);
  EXPECT_NE(hex.find(ToHex(der::Oid("1.3.6.1.5.5.7.48.1.5"))), std::string::npos);
  EXPECT_EQ(hex.find(ToHex(AsBytes("http://"))), std::string::npos);
}

// ---- Parsing ------------------------------------------------------------------------------------

TEST(Certificate, ReadsBackWhatWasIssued) {
  const fakes::TestIssuer ca = fakes::MakeIssuer();
  CertificateRequest request = fakes::MakeRequest({"a.test", "b.test"});
  request.ip_addresses = {{192, 0, 2, 7}};
  fakes::SeededRandom random;
  const Serial serial = Serial::Random(1, random);
  const Certificate certificate =
      ca.issuer->Issue(ca.issuer->Prepare(fakes::ServerProfile(), request, serial, kNow).value())
          .value();
  EXPECT_EQ(certificate.serial, serial);
  EXPECT_EQ(certificate.key, request.key);
  EXPECT_EQ(certificate.dns_names, request.dns_names);
  EXPECT_EQ(certificate.ip_addresses, request.ip_addresses);
  EXPECT_EQ(certificate.issuer, ca.issuer->certificate().subject);
  EXPECT_EQ(certificate.not_before, kNow - Seconds(3600));
  EXPECT_EQ(certificate.not_after, kNow - Seconds(3601) + Seconds(90 * 86400));
}

TEST(Certificate, RefusesTrailingAndTruncatedOctets) {
  Bytes der = fakes::MakeIssuer().issuer->certificate().der;
  for (size_t length = 0; length < der.size(); ++length)
    EXPECT_EQ(Certificate::Parse(ByteView(der).first(length)).error().code, Code::kMalformed);
  der.push_back(0);
  EXPECT_FALSE(Certificate::Parse(der).ok());
  EXPECT_FALSE(Certificate::Parse(Bytes(70'000, 0x30)).ok());
}

}  // namespace
}  // namespace agentca::ca
