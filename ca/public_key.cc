#include "ca/public_key.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "ca/der.h"
#include "ca/openssl.h"
#include "ca/weak_rsa.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxSpkiSize = 1024;  // RSA-4096 takes about 0.6 kB
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 4096;
constexpr int kMaxRsaExponentBits = 64;  // what OpenSSL verifies with above 3072 bits of modulus

constexpr std::string_view kEcPublicKeyOid = "1.2.840.10045.2.1";  // RFC 5480 §2.1.1
constexpr std::string_view kRsaEncryptionOid = "1.2.840.113549.1.1.1";
constexpr std::string_view kEd25519Oid = "1.3.101.112";

Error Bad(std::string_view why) { return {Code::kBadPublicKey, std::string(why)}; }

struct Curve {
  KeyType type;
  const char* group;
  std::string_view oid;
  size_t field_size;
};
constexpr std::array<Curve, 2> kCurves{{{KeyType::kP256, "prime256v1", "1.2.840.10045.3.1.7", 32},
                                        {KeyType::kP384, "secp384r1", "1.3.132.0.34", 48}}};

constexpr std::array<uint8_t, 1> kUncompressed{POINT_CONVERSION_UNCOMPRESSED};

Bytes EcAlgorithm(const Curve& curve) {
  return der::Sequence({der::Oid(kEcPublicKeyOid), der::Oid(curve.oid)});
}

const Curve& CurveOf(KeyType type) { return type == KeyType::kP256 ? kCurves[0] : kCurves[1]; }

// SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }
Bytes MakeSpki(ByteView algorithm, ByteView key_bits) {
  return der::Sequence({algorithm, der::BitString(key_bits)});
}

// The octets of the canonical SPKI before the coordinates or the raw key; `length` is what follows.
struct Head {
  Bytes octets;
  size_t length;
};

Head MakeHead(ByteView algorithm, ByteView lead, size_t length) {
  const Bytes whole = MakeSpki(algorithm, der::Concat({lead, Bytes(length)}));
  return {Bytes(whole.begin(), whole.end() - static_cast<ptrdiff_t>(length)), length};
}

const Head& CanonicalHead(KeyType type) {
  static const Head kP256 = MakeHead(EcAlgorithm(kCurves[0]), kUncompressed, 64);
  static const Head kP384 = MakeHead(EcAlgorithm(kCurves[1]), kUncompressed, 96);
  static const Head kEd25519 = MakeHead(der::Sequence({der::Oid(kEd25519Oid)}), {}, 32);
  return type == KeyType::kP256 ? kP256 : type == KeyType::kP384 ? kP384 : kEd25519;
}

// What follows `head` in `der` if that is exactly what the head announces; otherwise empty.
ByteView Rest(ByteView der, const Head& head) {
  const bool fits = der.size() == head.octets.size() + head.length &&
                    std::equal(head.octets.begin(), head.octets.end(), der.begin());
  return fits ? der.subspan(head.octets.size()) : ByteView{};
}

// What is left of a key after it was judged: its type, and the content of subjectPublicKey.
struct Anatomy {
  KeyType type;
  Bytes algorithm;
  Bytes key_bits;
};

Result<Anatomy> DissectEc(EVP_PKEY* key) {
  std::array<char, 32> group{};
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1)
    return Bad("EC key without a named curve");
  const Curve* curve = nullptr;
  for (const Curve& known : kCurves)
    if (std::string_view(group.data()) == known.group) curve = &known;
  if (curve == nullptr) return Bad("EC key on a curve other than P-256 and P-384");

  const openssl::PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  // The quick check leaves out n·Q = ∞, which holds for every point of a curve of prime order.
  if (!context || EVP_PKEY_public_check_quick(context.get()) != 1)
    return Bad("EC point is not on its curve");
  std::array<uint8_t, 97> point{};
  size_t length = 0;
  // OpenSSL gives the form the key came in; compressed points fail the comparison below.
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &length) != 1 ||
      length != 1 + 2 * curve->field_size || point[0] != POINT_CONVERSION_UNCOMPRESSED)
    return Bad("EC point is not in uncompressed form");
  return Anatomy{curve->type, EcAlgorithm(*curve),
                 Bytes(point.begin(), point.begin() + static_cast<ptrdiff_t>(length))};
}

openssl::BignumPtr NumberOf(EVP_PKEY* key, const char* parameter) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, parameter, &number);
  return openssl::BignumPtr(number);
}

Bytes ToOctets(const BIGNUM* number) {
  Bytes octets(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, octets.data());
  return octets;
}

Result<Anatomy> DissectRsa(EVP_PKEY* key) {
  const openssl::BignumPtr n = NumberOf(key, OSSL_PKEY_PARAM_RSA_N);
  const openssl::BignumPtr e = NumberOf(key, OSSL_PKEY_PARAM_RSA_E);
  if (!n || !e) return Bad("RSA key without modulus or exponent");
  if (BN_num_bits(n.get()) < kMinRsaBits) return Bad("RSA key shorter than 2048 bits");
  if (BN_num_bits(n.get()) > kMaxRsaBits) return Bad("RSA key longer than 4096 bits");
  if (BN_is_odd(n.get()) == 0) return Bad("RSA modulus is even");
  if (BN_is_odd(e.get()) == 0) return Bad("RSA exponent is even");
  if (BN_num_bits(e.get()) < 17) return Bad("RSA exponent below 65537");
  if (BN_num_bits(e.get()) > kMaxRsaExponentBits) return Bad("RSA exponent over 64 bits");
  if (const std::string_view weakness = WeaknessOf(n.get()); !weakness.empty())
    return Bad(weakness);
  // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
  return Anatomy{KeyType::kRsa, der::Sequence({der::Oid(kRsaEncryptionOid), der::Null()}),
                 der::Sequence({der::UnsignedInteger(ToOctets(n.get())),
                                der::UnsignedInteger(ToOctets(e.get()))})};
}

// Points of order 1, 2, 4 and 8, with which anybody can sign anything. `y` is little-endian with
// the sign bit cleared; p, p + 1 are the non-canonical forms of 0 and 1.
bool HasSmallOrder(const std::array<uint8_t, 32>& y) {
  constexpr std::array<std::string_view, 7> kEncodings{
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  const std::string hex = ToHex(y);
  for (std::string_view encoding : kEncodings)
    if (hex == encoding) return true;
  return false;
}

Result<Anatomy> DissectEd25519(EVP_PKEY* key) {
  std::array<uint8_t, 32> raw{};
  size_t length = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, raw.data(), &length) != 1 || length != raw.size())
    return Bad("not an Ed25519 key");
  std::array<uint8_t, 32> y = raw;
  y.back() &= 0x7f;
  if (HasSmallOrder(y)) return Bad("Ed25519 point of small order");
  return Anatomy{KeyType::kEd25519, der::Sequence({der::Oid(kEd25519Oid)}), ToBytes(raw)};
}

Result<Anatomy> Dissect(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return DissectEc(key);
    case EVP_PKEY_RSA:
      return DissectRsa(key);
    case EVP_PKEY_ED25519:
      return DissectEd25519(key);
    default:
      return Bad("key type is not one of P-256, P-384, Ed25519, RSA");
  }
}

// The digest that goes with an algorithm (none for Ed25519); null when the key cannot do it.
struct Suite {
  bool fits;
  const char* digest;
};
Suite SuiteOf(SignatureAlgorithm algorithm, KeyType type) {
  const bool ec = type == KeyType::kP256 || type == KeyType::kP384;
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
      return {ec, "SHA256"};
    case SignatureAlgorithm::kEcdsaSha384:
      return {ec, "SHA384"};
    case SignatureAlgorithm::kEd25519:
      return {type == KeyType::kEd25519, nullptr};
    case SignatureAlgorithm::kRsaPkcs1Sha256:
      break;
  }
  return {type == KeyType::kRsa, "SHA256"};
}

// The algorithm with which this type of key is nearly always used.
SignatureAlgorithm UsualAlgorithm(KeyType type) {
  switch (type) {
    case KeyType::kP256:
      return SignatureAlgorithm::kEcdsaSha256;
    case KeyType::kP384:
      return SignatureAlgorithm::kEcdsaSha384;
    case KeyType::kEd25519:
      return SignatureAlgorithm::kEd25519;
    case KeyType::kRsa:
      break;
  }
  return SignatureAlgorithm::kRsaPkcs1Sha256;
}

openssl::DigestContextPtr BeginVerify(EVP_PKEY* key, const char* digest) {
  openssl::DigestContextPtr context(EVP_MD_CTX_new());
  if (!context ||
      EVP_DigestVerifyInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) != 1)
    return nullptr;
  return context;
}

openssl::PkeyPtr FromParameters(const char* type, int selection, OSSL_PARAM_BLD* builder) {
  const openssl::ParamsPtr parameters(OSSL_PARAM_BLD_to_param(builder));
  const openssl::PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, selection, parameters.get()) != 1)
    return nullptr;
  return openssl::PkeyPtr(key);
}

openssl::PkeyPtr MakeEmptyKey(const Curve& curve) {
  const openssl::ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                                  curve.group, 0) != 1)
    return nullptr;
  return FromParameters("EC", EVP_PKEY_KEY_PARAMETERS, builder.get());
}

// A key with the curve's parameters and no point. Copying it is far cheaper than looking the curve
// up for every key.
const EVP_PKEY* EmptyKey(KeyType type) {
  static const openssl::PkeyPtr kP256 = MakeEmptyKey(kCurves[0]);
  static const openssl::PkeyPtr kP384 = MakeEmptyKey(kCurves[1]);
  return type == KeyType::kP256 ? kP256.get() : kP384.get();
}

}  // namespace

struct PublicKey::Rep {
  openssl::PkeyPtr key;
  KeyType type;
  int bits;
  Bytes spki;
  Sha256Digest spki_sha256;
  Bytes key_identifier;
  // Ready to verify with the usual algorithm: a copy of it costs a fraction of
  // EVP_DigestVerifyInit, which fetches the algorithm anew each time. Never used itself, so threads
  // may copy it at once.
  openssl::DigestContextPtr verifier;
};

Result<PublicKey> PublicKey::Make(EVP_PKEY* owned, KeyType type, ByteView algorithm,
                                  ByteView key_bits) {
  openssl::PkeyPtr key(owned);
  const openssl::ErrorScope errors;
  Bytes key_identifier(SHA_DIGEST_LENGTH);
  SHA1(key_bits.data(), key_bits.size(), key_identifier.data());
  Bytes spki = MakeSpki(algorithm, key_bits);
  const Sha256Digest spki_sha256 = Sha256(spki);
  const char* const digest = SuiteOf(UsualAlgorithm(type), type).digest;
  openssl::DigestContextPtr verifier = BeginVerify(key.get(), digest);
  if (!verifier)
    return Error{Code::kInternal, "cannot verify with a public key: " + openssl::LastError()};
  const int bits = EVP_PKEY_get_bits(key.get());
  return PublicKey(
      std::make_shared<const Rep>(Rep{std::move(key), type, bits, std::move(spki), spki_sha256,
                                      std::move(key_identifier), std::move(verifier)}));
}

Result<PublicKey> PublicKey::Judge(EVP_PKEY* owned) {
  openssl::PkeyPtr key(owned);
  const openssl::ErrorScope errors;
  AGENTCA_ASSIGN(const Anatomy anatomy, Dissect(key.get()));
  return Make(key.release(), anatomy.type, anatomy.algorithm, anatomy.key_bits);
}

Result<PublicKey> PublicKey::FromSpki(ByteView der) {
  if (der.size() > kMaxSpkiSize) return Bad("SubjectPublicKeyInfo is too large");
  // Everything before the key's own octets is constant in the canonical form, so that comparing
  // octets does for all but RSA what OpenSSL 3.0's generic decoder takes twice a verification for.
  for (const Curve& curve : kCurves)
    if (const ByteView point = Rest(der, CanonicalHead(curve.type)); !point.empty())
      return FromEcPoint(curve.type, point.first(curve.field_size),
                         point.subspan(curve.field_size));
  if (const ByteView raw = Rest(der, CanonicalHead(KeyType::kEd25519)); !raw.empty())
    return FromEd25519(raw);
  const openssl::ErrorScope errors;
  auto key = openssl::Decode<openssl::PkeyPtr>(d2i_PUBKEY, der);
  if (!key) return Bad("not a SubjectPublicKeyInfo that can be read");
  AGENTCA_ASSIGN(PublicKey judged, Judge(key.release()));
  if (!std::equal(der.begin(), der.end(), judged.spki().begin(), judged.spki().end()))
    return Bad("SubjectPublicKeyInfo is not in its canonical form");
  return judged;
}

Result<PublicKey> PublicKey::FromEcPoint(KeyType curve, ByteView x, ByteView y) {
  if (curve != KeyType::kP256 && curve != KeyType::kP384) return Bad("not an EC key type");
  const Curve& known = CurveOf(curve);
  // RFC 7518 §6.2.1.2: the full size of a coordinate, leading zeros included.
  if (x.size() != known.field_size || y.size() != known.field_size)
    return Bad("EC coordinate of the wrong length");
  const openssl::ErrorScope errors;
  openssl::PkeyPtr key(EVP_PKEY_dup(const_cast<EVP_PKEY*>(EmptyKey(curve))));
  if (!key) return Error{Code::kInternal, "cannot make an EC key: " + openssl::LastError()};
  const Bytes point = der::Concat({kUncompressed, x, y});
  // Fails for a point that is not on the curve (EC_POINT_oct2point(3)).
  if (EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) != 1)
    return Bad("EC point is not on its curve");
  return Make(key.release(), curve, EcAlgorithm(known), point);
}

Result<PublicKey> PublicKey::FromRsa(ByteView modulus, ByteView exponent) {
  if (modulus.size() > kMaxRsaBits / 8) return Bad("RSA key longer than 4096 bits");
  if (exponent.size() > kMaxRsaExponentBits / 8) return Bad("RSA exponent over 64 bits");
  // RFC 7518 §2, Base64urlUInt: "…MUST utilize the minimum number of octets".
  if (modulus.empty() || exponent.empty() || modulus.front() == 0 || exponent.front() == 0)
    return Bad("RSA number is empty or has leading zeros");
  const openssl::ErrorScope errors;
  const openssl::BignumPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const openssl::BignumPtr e(
      BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
  const openssl::ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  const bool filled = n && e && builder &&
                      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1;
  if (!filled) return Error{Code::kInternal, "out of memory for a key"};
  openssl::PkeyPtr key = FromParameters("RSA", EVP_PKEY_PUBLIC_KEY, builder.get());
  if (!key) return Bad("RSA numbers do not make a key");
  return Judge(key.release());
}

Result<PublicKey> PublicKey::FromEd25519(ByteView raw) {
  const openssl::ErrorScope errors;
  openssl::PkeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
  if (!key) return Bad("Ed25519 key is not 32 octets");
  return Judge(key.release());
}

KeyType PublicKey::type() const { return rep_->type; }
int PublicKey::bits() const { return rep_->bits; }
const Bytes& PublicKey::spki() const { return rep_->spki; }
const Sha256Digest& PublicKey::spki_sha256() const { return rep_->spki_sha256; }
Bytes PublicKey::key_identifier() const { return rep_->key_identifier; }
EVP_PKEY* PublicKey::evp() const { return rep_->key.get(); }

bool PublicKey::Verify(SignatureAlgorithm algorithm, ByteView message, ByteView signature) const {
  const Suite suite = SuiteOf(algorithm, type());
  if (!suite.fits) return false;
  const openssl::ErrorScope errors;
  openssl::DigestContextPtr context;
  if (algorithm == UsualAlgorithm(type())) {
    context.reset(EVP_MD_CTX_new());
    if (!context || EVP_MD_CTX_copy_ex(context.get(), rep_->verifier.get()) != 1) return false;
  } else {
    context = BeginVerify(evp(), suite.digest);
  }
  return context && EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                     message.data(), message.size()) == 1;
}

}  // namespace agentca::ca
