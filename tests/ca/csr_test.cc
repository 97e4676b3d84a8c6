#include "ca/csr.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "ca/der.h"
#include "ca/signed_object.h"
#include "tests/fakes/test_signer.h"

namespace agentca::ca {
namespace {

const std::filesystem::path kDirectory = std::filesystem::path(AGENTCA_TESTDATA) / "csr";

Bytes ReadFile(const std::string& name) {
  std::ifstream in(kDirectory / (name + ".der"), std::ios::binary);
  EXPECT_TRUE(in) << name;
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

Result<Csr> ParseFile(const std::string& name) { return ParseCsr(ReadFile(name)); }

using Names = std::vector<std::string>;

TEST(Csr, GivesNamesSortedAndUnique) {
  const auto csr = ParseFile("good_p256");
  ASSERT_TRUE(csr.ok()) << csr.error().detail;
  EXPECT_EQ(csr->dns_names, (Names{"a.example.test", "b.example.test"}));
  EXPECT_TRUE(csr->ip_addresses.empty());
  EXPECT_EQ(csr->key.type(), KeyType::kP256);
}

TEST(Csr, TakesTheCommonNameAsALowerCaseName) {
  EXPECT_EQ(ParseFile("good_cn_only").value().dns_names, Names{"a.example.test"});
  EXPECT_EQ(ParseFile("good_cn_and_san").value().dns_names, Names{"a.example.test"});
}

TEST(Csr, TakesIpAddressesFromSanAndCommonName) {
  const Csr csr = ParseFile("good_ip").value();
  EXPECT_TRUE(csr.dns_names.empty());
  EXPECT_EQ(csr.ip_addresses,
            (std::vector<Bytes>{FromHex("20010db8000000000000000000000001").value(),
                                FromHex("c0000207").value()}));
}

TEST(Csr, AcceptsWildcardsAndALabels) {
  EXPECT_EQ(ParseFile("good_wildcard").value().dns_names,
            (Names{"*.example.test", "example.test"}));
  EXPECT_EQ(ParseFile("good_a_label").value().dns_names, Names{"xn--bcher-kva.example.test"});
}

TEST(Csr, AcceptsWhatStockClientsSend) {
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    const std::string name = entry.path().stem().string();
    if (!name.starts_with("good_")) continue;
    const auto csr = ParseFile(name);
    EXPECT_TRUE(csr.ok()) << name << ": " << csr.error().detail;
  }
}

TEST(Csr, IgnoresEverythingButKeyAndNames) {
  const Csr csr = ParseFile("good_ca_true").value();
  EXPECT_EQ(csr.dns_names, Names{"a.example.test"});
  EXPECT_TRUE(ParseFile("good_no_names").value().dns_names.empty());
}

struct Refusal {
  const char* file;
  const char* cause;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.file; }

class CsrRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(CsrRefusal, IsBadCsrWithItsCause) {
  const auto csr = ParseFile(GetParam().file);
  ASSERT_FALSE(csr.ok());
  EXPECT_EQ(csr.error().code, Code::kBadCsr);
  EXPECT_NE(csr.error().detail.find(GetParam().cause), std::string::npos) << csr.error().detail;
  EXPECT_EQ(ERR_peek_error(), 0UL) << "left on the error queue";
}

constexpr Refusal kRefusals[] = {
    {"bad_san_email", "rfc822Name"},
    {"bad_san_uri", "uniformResourceIdentifier"},
    {"bad_san_rid", "registeredID"},
    {"bad_san_othername", "otherName"},
    {"bad_san_dirname", "directoryName"},
    {"bad_san_ip_mask", "4 or 16 octets"},
    {"bad_san_nul", "NUL"},
    {"bad_san_empty_name", "is empty"},
    {"bad_san_unreadable", "unreadable subjectAltName"},
    {"bad_san_trailing_dot", "empty label"},
    {"bad_san_underscore", "characters other than"},
    {"bad_san_space", "characters other than"},
    {"bad_san_inner_wildcard", "characters other than"},
    {"bad_san_bad_a_label", "A-label"},
    {"bad_cn_text", "characters other than"},
    {"bad_cn_u_label", "characters other than"},
    {"bad_duplicate_extension", "extension twice"},
    {"bad_trailing_octet", "not one CertificationRequest"},
    {"bad_truncated", "not one CertificationRequest"},
    {"bad_signature", "does not verify"},
    {"bad_long_length", "not DER"},
    {"bad_text", "not one CertificationRequest"},
    {"bad_empty", "not one CertificationRequest"},
    {"bad_huge", "larger than 64 KiB"},
    {"bad_many_names", "more than 1000 names"},
    {"bad_rsa1024", "shorter than 2048"},
    {"bad_rsa_exponent_3", "exponent below 65537"},
    {"bad_rsapss_key", "key type"},
    {"bad_p224", "curve other than"},
    {"bad_p521", "curve other than"},
    {"bad_explicit_curve", "key that is not accepted"},
    {"bad_compressed_point", "uncompressed"},
    {"bad_sha1", "is not signed with"},
    {"bad_md5", "is not signed with"},
    {"bad_pss_signature", "is not signed with"},
    {"bad_ecdsa_sha1", "is not signed with"},
};
INSTANTIATE_TEST_SUITE_P(Files, CsrRefusal, testing::ValuesIn(kRefusals),
                         [](const auto& param) { return std::string(param.param.file); });

TEST(Csr, EveryBadFileIsInTheTable) {
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    const std::string name = entry.path().stem().string();
    if (!name.starts_with("bad_")) continue;
    EXPECT_TRUE(std::any_of(std::begin(kRefusals), std::end(kRefusals),
                            [&](const Refusal& refusal) { return name == refusal.file; }))
        << name;
  }
}

// Requests that the openssl command does not make.
constexpr std::string_view kExtensionRequest = "1.2.840.113549.1.9.14";
constexpr std::string_view kMicrosoftExtensionRequest = "1.3.6.1.4.1.311.2.1.14";

Bytes Attribute(std::string_view id, std::initializer_list<ByteView> values) {
  return der::Sequence({der::Oid(id), der::Tlv(der::kSet, der::Concat(values))});
}

Bytes SanRequest(std::string_view name) {
  const Bytes names = der::Sequence({der::Tlv(der::Primitive(2), AsBytes(name))});
  return der::Sequence({der::Sequence({der::Oid("2.5.29.17"), der::OctetString(names)})});
}

Bytes MakeCsr(uint64_t version, ByteView subject, std::initializer_list<ByteView> attributes) {
  fakes::TestSigner signer;
  const Bytes info = der::Sequence({der::Integer(version), subject, signer.public_key().spki(),
                                    der::Tlv(der::Constructed(0), der::Concat(attributes))});
  return MakeSigned(info, signer).value();
}

const Bytes kEmptyName = der::Sequence({});

TEST(Csr, AcceptsMicrosoftsExtensionRequest) {
  const auto csr = ParseCsr(
      MakeCsr(0, kEmptyName, {Attribute(kMicrosoftExtensionRequest, {SanRequest("a.test")})}));
  ASSERT_TRUE(csr.ok()) << csr.error().detail;
  EXPECT_EQ(csr->dns_names, Names{"a.test"});
}

TEST(Csr, RefusesSeveralExtensionRequests) {
  const Bytes two = MakeCsr(0, kEmptyName,
                            {Attribute(kExtensionRequest, {SanRequest("a.test")}),
                             Attribute(kMicrosoftExtensionRequest, {SanRequest("b.test")})});
  EXPECT_EQ(ParseCsr(two).error().detail, "CSR has several extension requests");
  const Bytes two_values = MakeCsr(
      0, kEmptyName, {Attribute(kExtensionRequest, {SanRequest("a.test"), SanRequest("b.test")})});
  EXPECT_EQ(ParseCsr(two_values).error().detail, "CSR has an extension request of many values");
}

TEST(Csr, RefusesAnotherVersion) {
  EXPECT_EQ(ParseCsr(MakeCsr(1, kEmptyName, {})).error().detail, "CSR is not of version 1");
}

TEST(Csr, RefusesANulInTheCommonName) {
  using namespace std::string_view_literals;
  const Bytes name = der::Sequence(
      {der::Tlv(der::kSet,
                der::Sequence({der::Oid("2.5.4.3"), der::Utf8String("good.test\0.evil.test"sv)}))});
  EXPECT_EQ(ParseCsr(MakeCsr(0, name, {})).error().detail, "CSR has a NUL in its common name");
}

TEST(Csr, RefusesTheSignatureOfAnotherKey) {
  fakes::TestSigner signer, other;
  const Bytes info = der::Sequence(
      {der::Integer(0), kEmptyName, other.public_key().spki(), der::Tlv(der::Constructed(0), {})});
  const Bytes csr = der::Sequence(
      {info, AlgorithmIdentifier(signer.algorithm()), der::BitString(signer.Sign(info).value())});
  EXPECT_EQ(ParseCsr(csr).error().detail, "CSR has a signature that does not verify");
}

TEST(Csr, RefusesUnusedBitsInTheSignature) {
  Bytes csr = ReadFile("good_ed25519");
  const auto octets = csr.end() - 65;  // of unused bits; 64 octets of signature follow
  ASSERT_EQ(*octets, 0);
  *octets = 1;
  EXPECT_FALSE(ParseCsr(csr).ok());
}

TEST(Csr, RefusesEveryTruncation) {
  const Bytes whole = ReadFile("good_p256");
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(ParseCsr(ByteView(whole).first(length)).ok()) << length;
}

TEST(Csr, RefusesEveryFlippedBit) {
  const Bytes whole = ReadFile("good_ed25519");
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    Bytes flipped = whole;
    flipped[i / 8] = static_cast<uint8_t>(flipped[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(ParseCsr(flipped).ok()) << i;
  }
}

}  // namespace
}  // namespace agentca::ca
