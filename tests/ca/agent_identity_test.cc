#include "ca/agent_identity.h"

#include <gtest/gtest.h>

#include "ca/der.h"
#include "tests/fakes/command.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

AgentIdentity Smallest() {
  AgentIdentity identity;
  identity.agent = "planner";
  identity.tenant = "acme";
  identity.attestation = {"jwt", 2, fakes::ManualClock().Now(), false,
                          Bytes(32, 0x11)};  // 2027-01-15 08:00:00
  return identity;
}

AgentIdentity Full() {
  AgentIdentity identity = Smallest();
  identity.sponsor = "Ada Lovelace";
  identity.deployment = "prod";
  identity.agent_class = {Degree::kMedium, Degree::kHigh, Degree::kLow, Lifespan::kPersistent};
  identity.scopes = {"tickets:read", "größe"};
  identity.components = {{ComponentKind::kModel, "sha256", Bytes(32, 0xaa), Basis::kDeclared},
                         {ComponentKind::kImage, "sha384", Bytes(48, 0xbb), Basis::kAttested}};
  identity.parent = ToBytes(AsBytes("spiffe://example.test/t/acme/a/boss"));
  identity.max_depth = 200;
  identity.attestation.format = "tpm";
  identity.attestation.level = 4;
  identity.attestation.key_bound = true;
  return identity;
}

Bytes ValueOf(const AgentIdentity& identity) { return EncodeAgentIdentityValue(identity).value(); }

// ---- Writing ------------------------------------------------------------------------------------

// The octets of `openssl asn1parse -genconf` for the same values.
constexpr std::string_view kGoldenSmallest =
    "3060"
    "020101"                                                                 // version 1
    "0c07706c616e6e6572"                                                     // planner
    "0c0461636d65"                                                           // acme
    "a20c0a01000a01000a01000a0100"                                           // class: all lowest
    "a73e"                                                                   // attestation
    "0c036a7774"                                                             // jwt
    "020102"                                                                 // level 2
    "180f32303237303131353038303030305a"                                     // verifiedAt
    "010100"                                                                 // not bound to a key
    "04201111111111111111111111111111111111111111111111111111111111111111";  // evidenceHash

constexpr std::string_view kGoldenFull =
    "30820132"
    "020101"
    "0c07706c616e6e6572"
    "0c0461636d65"
    "800c416461204c6f76656c616365"                        // [0] Ada Lovelace
    "810470726f64"                                        // [1] prod
    "a20c0a01010a01020a01000a0102"                        // [2] medium, high, low, persistent
    "a3170c0c7469636b6574733a726561640c076772c3b6c39f65"  // [3] tickets:read, größe
    "a47a"                                                // [4] components
    "3033"                                                // model, sha256, declared
    "0a0100"
    "0609608648016503040201"
    "0420aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "0a0100"
    "3043"  // image, sha384, attested
    "0a0101"
    "0609608648016503040202"
    "0430bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "0a0102"
    // [5] spiffe://example.test/t/acme/a/boss
    "85237370696666653a2f2f6578616d706c652e746573742f742f61636d652f612f626f7373"
    "860200c8"  // [6] 200, with a sign octet
    "a73e"      // [7]
    "0c0374706d"
    "020104"
    "180f32303237303131353038303030305a"
    "0101ff"
    "04201111111111111111111111111111111111111111111111111111111111111111";

TEST(AgentIdentity, EqualsTheGoldenOctets) {
  EXPECT_EQ(ToHex(ValueOf(Smallest())), kGoldenSmallest);
  EXPECT_EQ(ToHex(ValueOf(Full())), kGoldenFull);
}

TEST(AgentIdentity, IsANonCriticalExtensionUnderTheArc) {
  const Bytes extension = EncodeAgentIdentity("1.3.6.1.4.1.99999.7", Full()).value();
  EXPECT_EQ(extension,
            der::Sequence({der::Oid("1.3.6.1.4.1.99999.7.1"), der::OctetString(ValueOf(Full()))}));
  EXPECT_EQ(LevelPolicyOid(kDefaultAgentArc, 3), "1.3.6.1.4.1.32473.1.2.3");
}

TEST(AgentIdentity, IsReadByOpensslAsn1parse) {
  const fakes::TemporaryDirectory directory;
  const std::string file = (directory / "identity.der").string();
  fakes::WriteFile(file, ValueOf(Full()));
  const auto parsed = fakes::RunCommand("openssl asn1parse -inform DER -i -in " + file);
  ASSERT_EQ(parsed.exit_code, 0) << parsed.output;
  for (const char* expected :
       {"UTF8STRING        :planner", "UTF8STRING        :tickets:read", ":sha256", ":sha384",
        "GENERALIZEDTIME   :20270115080000Z", "BOOLEAN           :255"})
    EXPECT_NE(parsed.output.find(expected), std::string::npos) << expected << parsed.output;
}

TEST(AgentIdentity, RefusesWhatCannotBeSaidAndNamesIt) {
  const auto fault = [](auto change) {
    AgentIdentity identity = Full();
    change(identity);
    const auto encoded = EncodeAgentIdentityValue(identity);
    if (encoded.ok()) return std::string("none");
    EXPECT_EQ(encoded.error().code, Code::kMalformed);
    return encoded.error().detail;
  };
  const auto expect = [](const std::string& found, std::string_view part) {
    EXPECT_NE(found.find(part), std::string::npos) << found << ", not " << part;
  };
  expect(fault([](auto& i) { i.agent = "Planner"; }), "agent is not a label");
  expect(fault([](auto& i) { i.tenant = ""; }), "tenant is not a label");
  expect(fault([](auto& i) { i.sponsor = "\xff"; }), "sponsor is not UTF-8");
  expect(fault([](auto& i) { i.sponsor = std::string("a\0b", 3); }), "sponsor is not UTF-8");
  expect(fault([](auto& i) { i.deployment = std::string(257, 'x'); }), "deployment is longer");
  expect(fault([](auto& i) { i.scopes = {""}; }), "scopes has an empty one");
  expect(fault([](auto& i) { i.scopes.assign(129, "a"); }), "scopes has over 128");
  expect(fault([](auto& i) { i.scopes.assign(128, std::string(256, 'a')); }), "longer than 32 KiB");
  expect(fault([](auto& i) { i.components[0].hash_algorithm = "md5"; }), "hash algorithm");
  expect(fault([](auto& i) { i.components[0].digest.pop_back(); }), "digest");
  expect(fault([](auto& i) { i.parent = Bytes(257, 'x'); }), "parent is longer");
  expect(fault([](auto& i) { i.attestation.format = ""; }), "no format");
  expect(fault([](auto& i) { i.attestation.level = 0; }), "level");
  expect(fault([](auto& i) { i.attestation.level = 5; }), "level");
  expect(fault([](auto& i) { i.attestation.evidence_hash.clear(); }), "hash");
  expect(fault([](auto& i) { i.attestation.verified_at = Time{Seconds{-1}}; }), "time");
  expect(fault([](auto& i) { i.attestation.verified_at = Time{Seconds{253402300800}}; }), "time");
}

TEST(AgentArc, MustBeAnOidThatAllCanReadAndThatIsFree) {
  for (const char* good : {"1.3.6.1.4.1.32473.1", "1.2", "2.999", "1.3.6.1.4.1.2147483647"})
    EXPECT_TRUE(CheckAgentArc(good).ok()) << good;
  for (const char* bad : {"", "1", "1.", ".1", "1..2", "3.1", "1.40", "1.02", "1.3.a", "1.3 ",
                          "2.25.340282366920938463463374607431768211455", "1.3.2147483648",
                          "2.5.29", "2.5.29.17", "1.3.6.1.5.5.7.1"})
    EXPECT_EQ(CheckAgentArc(bad).error().code, Code::kMalformed) << bad;
  EXPECT_TRUE(CheckAgentArc("2.5.290").ok());
  EXPECT_FALSE(EncodeAgentIdentity("1.3.a", Smallest()).ok());
}

// ---- Reading ------------------------------------------------------------------------------------

TEST(AgentIdentity, ReadsBackWhatItWrites) {
  for (const AgentIdentity& identity : {Smallest(), Full()})
    EXPECT_EQ(ParseAgentIdentity(ValueOf(identity)).value(), identity);
  for (int bits = 0; bits < 32; ++bits) {  // every combination of what may be left out
    AgentIdentity identity = Smallest();
    const AgentIdentity full = Full();
    if ((bits & 1) != 0) identity.sponsor = full.sponsor;
    if ((bits & 2) != 0) identity.scopes = full.scopes;
    if ((bits & 4) != 0) identity.components = full.components;
    if ((bits & 8) != 0) identity.parent = full.parent;
    if ((bits & 16) != 0) identity.max_depth = 0;
    EXPECT_EQ(ParseAgentIdentity(ValueOf(identity)).value(), identity) << bits;
  }
}

TEST(AgentIdentity, ReadsNumbersUpToTheirBounds) {
  AgentIdentity identity = Full();
  for (const uint32_t depth : {0U, 127U, 128U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    identity.max_depth = depth;
    EXPECT_EQ(ParseAgentIdentity(ValueOf(identity))->max_depth, depth);
  }
}

TEST(AgentIdentity, RefusesTruncatedAndTrailingOctets) {
  Bytes value = ValueOf(Full());
  for (size_t length = 0; length < value.size(); ++length)
    EXPECT_EQ(ParseAgentIdentity(ByteView(value).first(length)).error().code, Code::kMalformed);
  value.push_back(0);
  EXPECT_FALSE(ParseAgentIdentity(value).ok());
}

// Whatever octet is changed: refused, or read as something else, never as the same.
TEST(AgentIdentity, HasOneEncodingAlone) {
  const Bytes value = ValueOf(Full());
  for (size_t at = 0; at < value.size(); ++at) {
    for (const int bit : {0x01, 0x20, 0x80}) {
      Bytes changed = value;
      changed[at] = static_cast<uint8_t>(changed[at] ^ bit);
      const auto parsed = ParseAgentIdentity(changed);
      EXPECT_FALSE(parsed.ok() && *parsed == Full()) << at;
    }
  }
}

class Hostile : public testing::Test {
 protected:
  // The golden octets of the smallest identity with one part exchanged, lengths corrected.
  static std::string With(const std::string& from, const std::string& to) {
    std::string content(kGoldenSmallest.substr(4));
    const size_t at = content.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    content.replace(at, from.size(), to);
    return Fault(der::Tlv(der::kSequence, FromHex(content).value()));
  }
  static std::string Fault(const Bytes& value) {
    const auto parsed = ParseAgentIdentity(value);
    if (parsed.ok()) return "none";
    EXPECT_EQ(parsed.error().code, Code::kMalformed);
    return parsed.error().detail;
  }
};

TEST_F(Hostile, TheUnchangedOctetsAreAccepted) { EXPECT_EQ(With("020101", "020101"), "none"); }

TEST_F(Hostile, OtherVersionsAreRefused) {
  EXPECT_EQ(With("020101", "020102"), "agent identity is of version 2, not 1");
  EXPECT_NE(With("020101", "0201ff"), "none");
  EXPECT_NE(With("020101", "0209010000000000000001"), "none");
  EXPECT_NE(With("020101", "02020001"), "none") << "padded";
}

TEST_F(Hostile, MembersThatWouldBeLeftOutAreRefused) {
  for (const char* empty : {"8000", "8100"})
    EXPECT_NE(With("a20c", std::string(empty) + "a20c"), "none") << empty;
  for (const char* empty : {"a300", "a400", "8500"})
    EXPECT_NE(With("a73e", std::string(empty) + "a73e"), "none") << empty;
}

TEST_F(Hostile, MembersOfAnotherOrderTypeOrNumberAreRefused) {
  EXPECT_NE(With("0c07706c616e6e65720c0461636d65", "0c07706c616e6e6572"), "none") << "one missing";
  EXPECT_NE(With("a73e", "860101860101a73e"), "none") << "twice";
  EXPECT_NE(With("a20c", "81017880017aa20c"), "none") << "[1] before [0]";
  EXPECT_NE(With("0c0461636d65", "130461636d65"), "none") << "PrintableString";
  EXPECT_NE(With("0c0461636d65", "2c060c0461636d65"), "none") << "constructed";
  EXPECT_NE(With("a20c0a01000a01000a01000a0100", "a2090a01000a01000a0100"), "none");
  EXPECT_NE(With("a20c0a01000a01000a01000a0100", "a20f0a01000a01000a01000a01000a0100"), "none");
  EXPECT_NE(With("a73e", "880101a73e"), "none") << "unknown member";
}

TEST_F(Hostile, ValuesOutsideTheirEnumerationAreRefused) {
  EXPECT_EQ(With("0a01000a01000a01000a0100", "0a01030a01000a01000a0100"),
            "agent identity has a value outside its enumeration");
  EXPECT_NE(With("0a01000a01000a01000a0100", "0a01000a01000a01000a01ff"), "none");
  EXPECT_NE(With("020102180f", "020105180f"), "none");
  EXPECT_NE(With("020102180f", "020100180f"), "none");
}

TEST_F(Hostile, OtherFormsOfTimesAndBooleansAreRefused) {
  EXPECT_NE(With("010100", "010101"), "none") << "TRUE is 0xff";
  EXPECT_NE(With("010100", "010200"), "none");
  const auto time = [](std::string_view text) {
    return With("180f32303237303131353038303030305a",
                ToHex(der::Tlv(der::kGeneralizedTime, AsBytes(text))));
  };
  EXPECT_NE(With("a73e", "a73e").find("none"), std::string::npos);
  for (const char* bad : {"20270115080000.5Z", "202701150800Z", "20270115080000", "20271315080000Z",
                          "20270115080000+0100", "19690115080000Z", "", "\xff"})
    EXPECT_NE(time(bad), "none") << bad;
}

TEST_F(Hostile, IndefiniteLengthsAndDepthAreRefused) {
  std::string hex = "3080" + std::string(kGoldenSmallest.substr(4)) + "0000";
  EXPECT_NE(Fault(FromHex(hex).value()), "none");
  Bytes deep;
  for (int i = 0; i < 2000; ++i) deep = der::Tlv(0xa3, deep);
  EXPECT_NE(Fault(der::Sequence({deep})), "none");
  EXPECT_NE(Fault(Bytes(100'000, 0x30)), "none");
  EXPECT_NE(Fault({}), "none");
}

// ---- In certificates ----------------------------------------------------------------------------

Bytes CertificateWith(std::vector<Bytes> extensions) {
  const auto signer = std::make_unique<fakes::TestSigner>();
  const IssuerInfo info{"",
                        EncodeName({{Attribute::kCommonName, "x"}}).value(),
                        Bytes(20, 1),
                        "",
                        "",
                        "",
                        signer->algorithm()};
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  request.extra_extensions = std::move(extensions);
  const Bytes tbs = BuildTbsCertificate(fakes::ServerProfile(), info, request,
                                        Serial::FromHex("01").value(), fakes::ManualClock().Now())
                        .value();
  return MakeSigned(tbs, *signer).value();
}

TEST(AgentIdentityOf, FindsTheExtensionOfTheArcAlone) {
  const Bytes der = CertificateWith({EncodeAgentIdentity("1.2.3", Full()).value()});
  EXPECT_EQ(AgentIdentityOf(der, "1.2.3").value(), Full());
  EXPECT_EQ(AgentIdentityOf(der, "1.2.4").value(), std::nullopt);
  EXPECT_EQ(AgentIdentityOf(CertificateWith({}), "1.2.3").value(), std::nullopt);
}

TEST(AgentIdentityOf, RefusesWhatIsTwiceCriticalOrNoIdentity) {
  const Bytes extension = EncodeAgentIdentity("1.2.3", Full()).value();
  const Bytes critical =
      der::Sequence({der::Oid("1.2.3.1"), der::Boolean(true), der::OctetString(ValueOf(Full()))});
  const Bytes nonsense = der::Sequence({der::Oid("1.2.3.1"), der::OctetString(der::Null())});
  for (const auto& extensions : {std::vector<Bytes>{extension, extension}, {critical}, {nonsense}})
    EXPECT_EQ(AgentIdentityOf(CertificateWith(extensions), "1.2.3").error().code, Code::kMalformed);
  EXPECT_EQ(AgentIdentityOf(Bytes{0x30, 0}, "1.2.3").error().code, Code::kMalformed);
}

}  // namespace
}  // namespace agentca::ca
