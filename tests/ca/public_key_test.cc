#include "ca/public_key.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>

#include <thread>

#include "ca/der.h"
#include "ca/weak_rsa.h"
#include "tests/fakes/test_signer.h"

namespace agentca::ca {
namespace {

using fakes::TestKey;
using openssl::BignumPtr;

constexpr TestKey kAllKeys[] = {TestKey::kP256, TestKey::kP384, TestKey::kEd25519,
                                TestKey::kRsa2048, TestKey::kRsa3072};

Bytes SpkiOf(EVP_PKEY* key) { return openssl::Encode(i2d_PUBKEY, key); }

BignumPtr Number(EVP_PKEY* key, const char* parameter) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, parameter, &number);
  return BignumPtr(number);
}

Bytes Octets(const BIGNUM* number) {
  Bytes octets(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, octets.data());
  return octets;
}

TEST(PublicKey, KeepsTheOctetsOpenSslWrites) {
  for (TestKey type : kAllKeys) {
    const auto key = fakes::GenerateKey(type);
    const auto parsed = PublicKey::FromSpki(SpkiOf(key.get()));
    ASSERT_TRUE(parsed.ok()) << parsed.error().detail;
    EXPECT_EQ(parsed->spki(), SpkiOf(key.get()));
    EXPECT_EQ(parsed->spki_sha256(), Sha256(parsed->spki()));
    EXPECT_EQ(parsed->bits(), EVP_PKEY_get_bits(key.get()));
    EXPECT_EQ(EVP_PKEY_eq(parsed->evp(), key.get()), 1);
  }
}

TEST(PublicKey, IdentifiesAsRfc5280Method1) {
  const auto key = fakes::GenerateKey(TestKey::kP256);
  const PublicKey parsed = PublicKey::FromSpki(SpkiOf(key.get())).value();
  const openssl::X509Ptr x509(X509_new());
  X509_set_pubkey(x509.get(), key.get());
  Bytes expected(20);
  unsigned length = 0;
  ASSERT_EQ(X509_pubkey_digest(x509.get(), EVP_sha1(), expected.data(), &length), 1);
  EXPECT_EQ(parsed.key_identifier(), expected);
}

TEST(PublicKey, VerifiesWhatItsPrivateHalfSigned) {
  for (TestKey type : kAllKeys) {
    fakes::TestSigner signer(type);
    Bytes message = ToBytes(AsBytes("to be signed"));
    Bytes signature = signer.Sign(message).value();
    EXPECT_TRUE(signer.public_key().Verify(signer.algorithm(), message, signature));
    EXPECT_TRUE(signer.public_key().Verify(signer.algorithm(), message, signature)) << "twice";
    EXPECT_FALSE(fakes::NewPublicKey(type).Verify(signer.algorithm(), message, signature));
    message.front() ^= 1;
    EXPECT_FALSE(signer.public_key().Verify(signer.algorithm(), message, signature));
    message.front() ^= 1;
    signature.back() ^= 1;
    EXPECT_FALSE(signer.public_key().Verify(signer.algorithm(), message, signature));
    EXPECT_FALSE(signer.public_key().Verify(signer.algorithm(), message, {}));
    EXPECT_EQ(ERR_peek_error(), 0UL);
  }
}

TEST(PublicKey, RefusesAlgorithmsOfOtherKeyTypes) {
  fakes::TestSigner ec(TestKey::kP256), rsa(TestKey::kRsa2048), ed(TestKey::kEd25519);
  const Bytes message{1, 2, 3};
  for (auto algorithm : {SignatureAlgorithm::kEd25519, SignatureAlgorithm::kRsaPkcs1Sha256,
                         SignatureAlgorithm::kEcdsaSha384})
    EXPECT_FALSE(ec.public_key().Verify(algorithm, message, ec.Sign(message).value()));
  for (auto algorithm : {SignatureAlgorithm::kEd25519, SignatureAlgorithm::kEcdsaSha256})
    EXPECT_FALSE(rsa.public_key().Verify(algorithm, message, rsa.Sign(message).value()));
  for (auto algorithm : {SignatureAlgorithm::kRsaPkcs1Sha256, SignatureAlgorithm::kEcdsaSha256})
    EXPECT_FALSE(ed.public_key().Verify(algorithm, message, ed.Sign(message).value()));
}

TEST(PublicKey, VerifiesOnManyThreadsAtOnce) {
  fakes::TestSigner signer;
  const Bytes message(100, 7);
  const Bytes signature = signer.Sign(message).value();
  std::vector<std::thread> threads;
  std::atomic<int> verified{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j)
        verified += signer.public_key().Verify(signer.algorithm(), message, signature) ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(verified, 200);
}

TEST(PublicKey, MakesTheSameKeyFromJwkParts) {
  const PublicKey p256 = fakes::NewPublicKey(TestKey::kP256);
  const ByteView point = ByteView(p256.spki()).last(64);
  EXPECT_EQ(PublicKey::FromEcPoint(KeyType::kP256, point.first(32), point.last(32)).value(), p256);
  const PublicKey p384 = fakes::NewPublicKey(TestKey::kP384);
  const ByteView long_point = ByteView(p384.spki()).last(96);
  EXPECT_EQ(
      PublicKey::FromEcPoint(KeyType::kP384, long_point.first(48), long_point.last(48)).value(),
      p384);
  const PublicKey ed = fakes::NewPublicKey(TestKey::kEd25519);
  EXPECT_EQ(PublicKey::FromEd25519(ByteView(ed.spki()).last(32)).value(), ed);
  const auto rsa = fakes::GenerateKey(TestKey::kRsa2048);
  EXPECT_EQ(PublicKey::FromRsa(Octets(Number(rsa.get(), OSSL_PKEY_PARAM_RSA_N).get()),
                               Octets(Number(rsa.get(), OSSL_PKEY_PARAM_RSA_E).get()))
                .value(),
            fakes::PublicHalf(rsa.get()));
}

TEST(PublicKey, RefusesPointsOffTheCurveAndOfTheWrongSize) {
  for (auto [type, size] : {std::pair{KeyType::kP256, 32U}, {KeyType::kP384, 48U}}) {
    const PublicKey good =
        fakes::NewPublicKey(type == KeyType::kP256 ? TestKey::kP256 : TestKey::kP384);
    Bytes point = ToBytes(ByteView(good.spki()).last(size_t{2} * size));
    point.back() ^= 1;
    const auto bad =
        PublicKey::FromEcPoint(type, ByteView(point).first(size), ByteView(point).last(size));
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, Code::kBadPublicKey);
    Bytes spki = good.spki();
    spki.back() ^= 1;
    EXPECT_EQ(PublicKey::FromSpki(spki).error().code, Code::kBadPublicKey);
    EXPECT_FALSE(PublicKey::FromEcPoint(type, Bytes(size), Bytes(size)).ok());
    EXPECT_FALSE(PublicKey::FromEcPoint(type, Bytes(size, 0xff), Bytes(size, 0xff)).ok());
    EXPECT_FALSE(PublicKey::FromEcPoint(type, Bytes(size - 1, 1), Bytes(size, 1)).ok());
    EXPECT_FALSE(PublicKey::FromEcPoint(type, Bytes(size + 1, 1), Bytes(size, 1)).ok());
  }
  EXPECT_FALSE(PublicKey::FromEcPoint(KeyType::kRsa, Bytes(32), Bytes(32)).ok());
}

TEST(PublicKey, RefusesOtherCurvesAndTypes) {
  for (const char* curve : {"P-224", "P-521", "secp256k1", "brainpoolP256r1"})
    EXPECT_EQ(PublicKey::FromSpki(SpkiOf(openssl::PkeyPtr(EVP_EC_gen(curve)).get())).error().code,
              Code::kBadPublicKey)
        << curve;
  for (const char* type : {"X25519", "ED448"})
    EXPECT_FALSE(PublicKey::FromSpki(
                     SpkiOf(openssl::PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, type)).get()))
                     .ok())
        << type;
  EXPECT_FALSE(PublicKey::FromSpki({}).ok());
  EXPECT_FALSE(PublicKey::FromSpki(Bytes(5000, 0x30)).ok());
  EXPECT_FALSE(PublicKey::FromEd25519(Bytes(31)).ok());
}

TEST(PublicKey, RefusesFormsThatAreNotCanonical) {
  for (TestKey type : kAllKeys) {
    Bytes longer = fakes::NewPublicKey(type).spki();
    longer.push_back(0);
    EXPECT_FALSE(PublicKey::FromSpki(longer).ok());
  }
  const PublicKey rsa = fakes::NewPublicKey(TestKey::kRsa2048);
  // Without the NULL of RFC 4055 §1.2: parses, but is not the one form.
  const ByteView bits = ByteView(rsa.spki()).subspan(19);
  const Bytes bare = der::Sequence({der::Sequence({der::Oid("1.2.840.113549.1.1.1")}), bits});
  EXPECT_FALSE(PublicKey::FromSpki(bare).ok());
}

// Whoever holds such a key signs for nobody and everybody. The eight points of small order, in
// every encoding with either sign bit.
TEST(PublicKey, RefusesEd25519PointsOfSmallOrder) {
  for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
    const auto key = PublicKey::FromEd25519(FromHex(hex).value());
    ASSERT_FALSE(key.ok()) << hex;
    EXPECT_EQ(key.error().detail, "Ed25519 point of small order");
  }
}

// ---- RSA ----------------------------------------------------------------------------------------

std::string WhyNot(const BIGNUM* modulus, Bytes exponent = {1, 0, 1}) {
  const auto key = PublicKey::FromRsa(Octets(modulus), exponent);
  return key ? "accepted" : key.error().detail;
}

BignumPtr RandomOdd(int bits) {
  BignumPtr number(BN_new());
  BN_rand(number.get(), bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD);
  return number;
}

TEST(PublicKey, BoundsRsaSizesAndExponents) {
  const auto key = fakes::GenerateKey(TestKey::kRsa2048);
  const BignumPtr n = Number(key.get(), OSSL_PKEY_PARAM_RSA_N);
  EXPECT_EQ(WhyNot(n.get()), "accepted");
  EXPECT_EQ(WhyNot(n.get(), {3}), "RSA exponent below 65537");
  EXPECT_EQ(WhyNot(n.get(), {0xff, 0xff}), "RSA exponent below 65537");
  EXPECT_EQ(WhyNot(n.get(), {1, 0, 0}), "RSA exponent is even");
  EXPECT_EQ(WhyNot(n.get(), Bytes(9, 1)), "RSA exponent over 64 bits");
  EXPECT_EQ(WhyNot(n.get(), {0, 1, 0, 1}), "RSA number is empty or has leading zeros");
  EXPECT_EQ(WhyNot(n.get(), {}), "RSA number is empty or has leading zeros");
  EXPECT_EQ(WhyNot(RandomOdd(2047).get()), "RSA key shorter than 2048 bits");
  EXPECT_EQ(WhyNot(RandomOdd(4097).get()), "RSA key longer than 4096 bits");
  EXPECT_EQ(WhyNot(RandomOdd(8192).get()), "RSA key longer than 4096 bits");
  EXPECT_NE(WhyNot(RandomOdd(4096).get()), "RSA key longer than 4096 bits");
  BN_add_word(n.get(), 1);
  EXPECT_EQ(WhyNot(n.get()), "RSA modulus is even");
}

TEST(PublicKey, RefusesRsaModuliWithSmallFactors) {
  for (const BN_ULONG factor : {3U, 17U, 751U, 2039U}) {
    BignumPtr n = RandomOdd(2048);
    BN_sub_word(n.get(), BN_mod_word(n.get(), factor));
    if (BN_is_odd(n.get()) == 0) BN_add_word(n.get(), factor);
    EXPECT_EQ(WhyNot(n.get()), "RSA modulus has a small factor") << factor;
  }
}

// n = k·M + (65537^a mod M): the modulus of two such primes has this shape as well.
TEST(PublicKey, RefusesRocaModuli) {
  const openssl::BignumContextPtr context(BN_CTX_new());
  const BignumPtr primorial(BN_new()), generator(BN_new()), exponent(BN_new()), tail(BN_new());
  BN_one(primorial.get());
  for (const BN_ULONG p :
       {2U,   3U,   5U,   7U,   11U,  13U,  17U,  19U,  23U,  29U,  31U,  37U,  41U,
        43U,  47U,  53U,  59U,  61U,  67U,  71U,  73U,  79U,  83U,  89U,  97U,  101U,
        103U, 107U, 109U, 113U, 127U, 131U, 137U, 139U, 149U, 151U, 157U, 163U, 167U})
    BN_mul_word(primorial.get(), p);
  BN_set_word(generator.get(), 65537);
  BN_set_word(exponent.get(), 0x123456789abcdef);
  BN_mod_exp(tail.get(), generator.get(), exponent.get(), primorial.get(), context.get());
  const BignumPtr n(BN_new());
  std::string why = "RSA modulus has a small factor";  // beyond 167, by chance: draw again
  while (why == "RSA modulus has a small factor") {
    const BignumPtr factor(BN_new());
    BN_rand(factor.get(), 2048 - BN_num_bits(primorial.get()) + 1, BN_RAND_TOP_TWO,
            BN_RAND_BOTTOM_ANY);
    BN_mul(n.get(), factor.get(), primorial.get(), context.get());
    BN_add(n.get(), n.get(), tail.get());
    why = WeaknessOf(n.get());
  }
  EXPECT_EQ(WhyNot(n.get()), "RSA modulus comes from a faulty generator (ROCA)");
}

TEST(PublicKey, RefusesRsaModuliOfClosePrimes) {
  const openssl::BignumContextPtr context(BN_CTX_new());
  const BignumPtr p(BN_new()), q(BN_new()), n(BN_new());
  BN_generate_prime_ex(p.get(), 1024, 0, nullptr, nullptr, nullptr);
  BN_copy(q.get(), p.get());
  do BN_add_word(q.get(), 2);
  while (BN_check_prime(q.get(), context.get(), nullptr) != 1);
  BN_mul(n.get(), p.get(), q.get(), context.get());
  EXPECT_EQ(WhyNot(n.get()), "RSA modulus is a product of close primes");
  BN_sqr(n.get(), p.get(), context.get());
  EXPECT_EQ(WhyNot(n.get()), "RSA modulus is a product of close primes");
}

TEST(PublicKey, NamesItsTypes) {
  for (KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa})
    EXPECT_EQ(KeyTypeFromString(ToString(type)).value(), type);
  EXPECT_FALSE(KeyTypeFromString("p521").ok());
}

}  // namespace
}  // namespace agentca::ca
