#include "acme/attest/cose.h"

#include <gtest/gtest.h>

#include "acme/jws.h"
#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest {
namespace {

using testing::TextFixture;

Bytes Hex(std::string_view text) { return FromHex(text).value(); }

// One of the vectors of the COSE working group: message, key, and what was signed.
struct Vector {
  explicit Vector(const std::string& name)
      : document(JsonDocument::Parse(TextFixture("attest/cose/" + name + ".json")).value()) {}

  JsonValue At(std::string_view object) const { return *document.root().Find(object); }
  Bytes message() const { return Hex(*At("output").Find("cbor")->AsString()); }
  Bytes signing_input() const { return Hex(*At("intermediates").Find("ToBeSign_hex")->AsString()); }
  ca::PublicKey key() const {
    const JsonValue jwk = *At("input").Find("sign0")->Find("key");
    const auto coordinate = [&](const std::string& member) {
      const auto text = jwk.Find(member);
      return text ? FromBase64Url(*text->AsString()).value()
                  : Hex(*jwk.Find(member + "_hex")->AsString());
    };
    const auto curve = *jwk.Find("crv")->AsString();
    if (curve == "Ed25519") return ca::PublicKey::FromEd25519(coordinate("x")).value();
    const auto type = curve == "P-256" ? ca::KeyType::kP256 : ca::KeyType::kP384;
    return ca::PublicKey::FromEcPoint(type, coordinate("x"), coordinate("y")).value();
  }

  JsonDocument document;
};

class CoseVector : public ::testing::TestWithParam<const char*> {};

TEST_P(CoseVector, Verifies) {
  const Vector vector(GetParam());
  const auto sign1 = CoseSign1::Parse(vector.message());
  ASSERT_TRUE(sign1.ok()) << sign1.error().detail;
  EXPECT_EQ(ToHex(sign1->signing_input), ToHex(vector.signing_input()));
  EXPECT_TRUE(sign1->Verify(vector.key()).ok());
}

TEST_P(CoseVector, CutOffAnywhereIsMalformed) {
  const Bytes message = Vector(GetParam()).message();
  for (size_t size = 0; size < message.size(); ++size) {
    const auto sign1 = CoseSign1::Parse(ByteView(message).first(size));
    ASSERT_FALSE(sign1.ok()) << size;
    EXPECT_EQ(sign1.error().code, Code::kMalformed) << size;
  }
}

// What the signature covers: everything but the unprotected header.
TEST_P(CoseVector, WithAnyBitChangedVerifiesOnlyWhatWasSigned) {
  const Vector vector(GetParam());
  const auto key = vector.key();
  const auto genuine = CoseSign1::Parse(vector.message()).value();
  for (size_t at = 0; at < vector.message().size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes message = vector.message();
      message[at] ^= static_cast<uint8_t>(1 << bit);
      const auto sign1 = CoseSign1::Parse(message);
      if (!sign1.ok() || !sign1->Verify(key).ok()) continue;
      EXPECT_EQ(sign1->signing_input, genuine.signing_input) << at;
      EXPECT_EQ(sign1->payload, genuine.payload) << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OfOthers, CoseVector,
                         ::testing::Values("Appendix_C_2_1", "A_3", "eddsa-sig-01", "ecdsa-sig-02"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name, [](char c) { return c == '-' || c == '_'; });
                           return name;
                         });

class CoseBadVector : public ::testing::TestWithParam<const char*> {};

TEST_P(CoseBadVector, DoesNotVerify) {
  const Vector vector(GetParam());
  const auto sign1 = CoseSign1::Parse(vector.message());
  EXPECT_FALSE(sign1.ok() && sign1->Verify(vector.key()).ok());
}

// sign-pass-02 has external data, which we never have; ecdsa-sig-01 and -03 sign with hash and
// curve that do not go together in JOSE; the others are meant to fail.
INSTANTIATE_TEST_SUITE_P(OfOthers, CoseBadVector,
                         ::testing::Values("sign-fail-01", "sign-fail-02", "sign-fail-03",
                                           "sign-fail-04", "sign-fail-06", "sign-fail-07",
                                           "sign-pass-02"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name, [](char c) { return c == '-'; });
                           return name;
                         });

TEST(Cose, ReadsABareMessage) {
  const Vector vector("sign-pass-03");
  ASSERT_NE(vector.message().front(), 0xD2);
  const auto sign1 = CoseSign1::Parse(vector.message());
  ASSERT_TRUE(sign1.ok()) << sign1.error().detail;
  EXPECT_TRUE(sign1->Verify(vector.key()).ok());
  EXPECT_EQ(sign1->kid, "11");
}

TEST(Cose, TheAlgorithmMustBeProtected) {
  const auto sign1 = CoseSign1::Parse(Vector("sign-pass-01").message());
  ASSERT_FALSE(sign1.ok());
  EXPECT_EQ(sign1.error().code, Code::kBadSignatureAlgorithm);
}

TEST(Cose, AnAlgorithmGoesWithOneTypeOfKey) {
  const Vector p256("Appendix_C_2_1"), p384("ecdsa-sig-02"), ed25519("eddsa-sig-01");
  const auto sign1 = CoseSign1::Parse(p256.message()).value();
  EXPECT_FALSE(sign1.Verify(p384.key()).ok());
  EXPECT_FALSE(sign1.Verify(ed25519.key()).ok());
  EXPECT_FALSE(sign1.Verify(Vector("A_3").key()).ok());
}

// [protected, unprotected, payload, signature] with these headers.
Bytes Message(std::string_view protected_hex, std::string_view unprotected_hex,
              std::string_view payload_hex = "4101") {
  CborWriter writer;
  writer.Tag(18).Array(4).Octets(Hex(protected_hex));
  Bytes out = std::move(writer).Take();
  for (const auto part : {unprotected_hex, payload_hex}) {
    const Bytes octets = Hex(part);
    out.insert(out.end(), octets.begin(), octets.end());
  }
  CborWriter end;
  end.Octets(Bytes(64, 1));
  const Bytes signature = std::move(end).Take();
  out.insert(out.end(), signature.begin(), signature.end());
  return out;
}

Code CodeOf(const Bytes& message) {
  const auto sign1 = CoseSign1::Parse(message);
  return sign1.ok() ? Code::kInternal : sign1.error().code;
}

TEST(Cose, RefusesHeadersThatItMustNotBelieve) {
  EXPECT_EQ(CodeOf(Message("a10126", "a0")), Code::kInternal);  // well-formed
  EXPECT_EQ(CodeOf(Message("", "a10126")), Code::kBadSignatureAlgorithm);
  EXPECT_EQ(CodeOf(Message("a0", "a0")), Code::kBadSignatureAlgorithm);
  EXPECT_EQ(CodeOf(Message("a10105", "a0")), Code::kBadSignatureAlgorithm);    // HMAC 256/256
  EXPECT_EQ(CodeOf(Message("a1013824", "a0")), Code::kBadSignatureAlgorithm);  // PS256
  EXPECT_EQ(CodeOf(Message("a101654553323536", "a0")), Code::kBadSignatureAlgorithm);  // "ES256"
  EXPECT_EQ(CodeOf(Message("a10126", "a10127")), Code::kMalformed);                    // in both
  EXPECT_EQ(CodeOf(Message("a2012602811863", "a0")), Code::kMalformed);                // crit
  EXPECT_EQ(CodeOf(Message("a10126", "a102811863")), Code::kMalformed);
  EXPECT_EQ(CodeOf(Message("a201260127", "a0")), Code::kMalformed);      // twice
  EXPECT_EQ(CodeOf(Message("a10126", "a1046131")), Code::kMalformed);    // kid is text
  EXPECT_EQ(CodeOf(Message("a10126", "a0", "f6")), Code::kMalformed);    // detached
  EXPECT_EQ(CodeOf(Message("a10126", "a0", "6101")), Code::kMalformed);  // payload is text
  EXPECT_EQ(CodeOf(Message("a1012600", "a0")), Code::kMalformed);        // octets follow
  EXPECT_EQ(CodeOf(Message("8101", "a0")), Code::kMalformed);
  EXPECT_EQ(CodeOf(Message("a10126", "80")), Code::kMalformed);
}

TEST(Cose, RefusesOtherTags) {
  Bytes message = Message("a10126", "a0");
  for (const int tag : {0xD0, 0xD1, 0xD3, 0xC0}) {
    message.front() = static_cast<uint8_t>(tag);
    EXPECT_EQ(CodeOf(message), Code::kMalformed) << tag;
  }
  const Bytes bare(message.begin() + 1, message.end());
  Bytes cwt{0xD8, 0x3D};
  cwt.insert(cwt.end(), bare.begin(), bare.end());
  EXPECT_EQ(CodeOf(cwt), Code::kMalformed) << "RFC 8392 wants a COSE tag within a CWT tag";
}

TEST(Cose, AKidThatIsNoTextIsBase64Url) {
  EXPECT_EQ(CoseSign1::Parse(Message("a10126", "a104423131"))->kid, "11");
  EXPECT_EQ(CoseSign1::Parse(Message("a20126044200ff", "a0"))->kid, "AP8");
  EXPECT_EQ(CoseSign1::Parse(Message("a10126", "a0"))->kid, "");
}

// RFC 9052 appendix C.7.1: the key "11".
constexpr std::string_view kPublic =
    "a401022001215820bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"
    "22582020138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e";

Result<ca::PublicKey> Key(const std::string& hex) {
  const auto document = CborDocument::Parse(Hex(hex));
  EXPECT_TRUE(document.ok()) << hex;
  return ParseCoseKey(document->root());
}

TEST(CoseKey, OfTheRfcIsThatOfItsMessage) {
  const auto key = Key(std::string(kPublic));
  ASSERT_TRUE(key.ok()) << key.error().detail;
  EXPECT_EQ(*key, Vector("Appendix_C_2_1").key());
}

TEST(CoseKey, ReadsEd25519) {
  const auto key =
      Key("a301012006215820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  ASSERT_TRUE(key.ok()) << key.error().detail;
  EXPECT_EQ(*key, Vector("eddsa-sig-01").key());
}

TEST(CoseKey, RefusesAllOthers) {
  const std::string good(kPublic);
  std::string off_curve = good;
  off_curve.back() = 'f';
  std::string private_key = good + "234101";
  private_key.replace(0, 2, "a5");
  std::string compressed = good.substr(0, good.find("225820")) + "22f5";
  std::string short_x = "a401022001215801bb225820" + good.substr(good.size() - 64);
  for (const std::string& hex : {off_curve, private_key, compressed, short_x, std::string("a0"),
                                 std::string("01"), std::string("a10104"), std::string("a1010241"),
                                 std::string("a2010220"
                                             "03"),
                                 std::string("a3010320418021430100"
                                             "01")}) {
    const auto document = CborDocument::Parse(Hex(hex.size() % 2 == 0 ? hex : hex + "0"));
    if (!document.ok()) continue;
    const auto key = ParseCoseKey(document->root());
    ASSERT_FALSE(key.ok()) << hex;
    EXPECT_EQ(key.error().code, Code::kBadPublicKey) << hex;
  }
}

}  // namespace
}  // namespace agentca::acme::attest
