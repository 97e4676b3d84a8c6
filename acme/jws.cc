#include "acme/jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <memory>

#include "ca/der.h"

namespace agentca::acme {
namespace {

using ca::KeyType;
using ca::PublicKey;
using ca::SignatureAlgorithm;

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }
Error BadKey(std::string detail) { return {Code::kBadPublicKey, std::move(detail)}; }

struct AlgorithmRow {
  std::string_view name;
  SignatureAlgorithm algorithm;
  KeyType key;
};
constexpr std::array<AlgorithmRow, kJwsAlgorithms.size()> kAlgorithms{{
    {"ES256", SignatureAlgorithm::kEcdsaSha256, KeyType::kP256},
    {"ES384", SignatureAlgorithm::kEcdsaSha384, KeyType::kP384},
    {"EdDSA", SignatureAlgorithm::kEd25519, KeyType::kEd25519},
    {"RS256", SignatureAlgorithm::kRsaPkcs1Sha256, KeyType::kRsa},
}};

// RFC 7515 §4.1: where a JWS brings or points to the key that shall verify it. RFC 8725 §3.10.
constexpr std::array<std::string_view, 4> kKeyParameters{"jwk", "jku", "x5c", "x5u"};

const AlgorithmRow& RowOf(SignatureAlgorithm algorithm) {
  return *std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                       [&](const AlgorithmRow& row) { return row.algorithm == algorithm; });
}

constexpr size_t CoordinateSize(KeyType curve) { return curve == KeyType::kP256 ? 32 : 48; }

Result<Bytes> KeyMember(const JsonValue& jwk, std::string_view name) {
  const auto value = jwk.Find(name);
  const auto text = value ? value->AsString() : std::nullopt;
  if (!text) return BadKey("JWK needs the string member \"" + std::string(name) + "\"");
  auto octets = FromBase64Url(*text);
  if (!octets.ok()) {
    return BadKey("JWK member \"" + std::string(name) + "\" is not base64url without padding");
  }
  return octets;
}

std::optional<std::string_view> TextMember(const JsonValue& object, std::string_view name) {
  const auto value = object.Find(name);
  return value ? value->AsString() : std::nullopt;
}

Result<PublicKey> ParseEcJwk(const JsonValue& jwk) {
  const auto curve = TextMember(jwk, "crv");
  if (curve != "P-256" && curve != "P-384") return BadKey("EC keys must be on P-256 or P-384");
  const KeyType type = curve == "P-256" ? KeyType::kP256 : KeyType::kP384;
  AGENTCA_ASSIGN(const Bytes x, KeyMember(jwk, "x"));
  AGENTCA_ASSIGN(const Bytes y, KeyMember(jwk, "y"));
  // RFC 7518 §6.2.1.2: the length "MUST be the full size of a coordinate for the curve".
  if (x.size() != CoordinateSize(type) || y.size() != CoordinateSize(type)) {
    return BadKey("EC coordinates must have the full size of the curve");
  }
  return PublicKey::FromEcPoint(type, x, y);
}

Result<PublicKey> ParseOkpJwk(const JsonValue& jwk) {
  if (TextMember(jwk, "crv") != "Ed25519") return BadKey("OKP keys must be Ed25519");
  AGENTCA_ASSIGN(const Bytes x, KeyMember(jwk, "x"));
  if (x.size() != 32) return BadKey("an Ed25519 key has 32 octets");
  return PublicKey::FromEd25519(x);
}

Result<PublicKey> ParseRsaJwk(const JsonValue& jwk) {
  AGENTCA_ASSIGN(const Bytes modulus, KeyMember(jwk, "n"));
  AGENTCA_ASSIGN(const Bytes exponent, KeyMember(jwk, "e"));
  // RFC 7518 §6.3.1: "the minimum number of octets"; a thumbprint must have one form only.
  if (modulus.empty() || exponent.empty() || modulus[0] == 0 || exponent[0] == 0) {
    return BadKey("RSA integers must not have leading zero octets");
  }
  return PublicKey::FromRsa(modulus, exponent);
}

// RFC 7518 §3.4: R and S, each of the full size of the curve's order. X.509's form of the same is
// ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 §2.2.3).
Result<Bytes> ToX509Signature(KeyType type, const Bytes& raw) {
  if (type != KeyType::kP256 && type != KeyType::kP384) return raw;
  const size_t size = CoordinateSize(type);
  if (raw.size() != 2 * size) return Malformed("JWS signature has a wrong length");
  const ByteView both(raw);
  const Bytes r = ca::der::UnsignedInteger(both.first(size));
  const Bytes s = ca::der::UnsignedInteger(both.subspan(size));
  return ca::der::Sequence({r, s});
}

Bytes RsaInteger(const PublicKey& key, const char* parameter) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key.evp(), parameter, &number) != 1) return {};
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> owner(number, &BN_free);
  Bytes octets(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, octets.data());
  return octets;
}

// RFC 7638 §3.2, §3.3: required members only, in lexicographic order, no white space. The octets
// of an EC point or an Ed25519 key are the tail of its one canonical SubjectPublicKeyInfo.
std::string CanonicalJwk(const PublicKey& key) {
  const ByteView spki(key.spki());
  switch (key.type()) {
    case KeyType::kP256:
    case KeyType::kP384: {
      const size_t size = CoordinateSize(key.type());
      const ByteView point = spki.last(2 * size);
      const std::string curve = key.type() == KeyType::kP256 ? "P-256" : "P-384";
      return R"({"crv":")" + curve + R"(","kty":"EC","x":")" + ToBase64Url(point.first(size)) +
             R"(","y":")" + ToBase64Url(point.last(size)) + R"("})";
    }
    case KeyType::kEd25519:
      return R"({"crv":"Ed25519","kty":"OKP","x":")" + ToBase64Url(spki.last(32)) + R"("})";
    case KeyType::kRsa:
      return R"({"e":")" + ToBase64Url(RsaInteger(key, OSSL_PKEY_PARAM_RSA_E)) +
             R"(","kty":"RSA","n":")" + ToBase64Url(RsaInteger(key, OSSL_PKEY_PARAM_RSA_N)) +
             R"("})";
  }
  return {};
}

Status CheckEnvelope(const JsonValue& body) {
  if (!body.is_object()) return Malformed("JWS must be a JSON object (flattened serialization)");
  if (body.Find("signatures")) {
    return Malformed("JWS must be in the flattened serialization, with one signature");
  }
  if (body.Find("header")) return Malformed("JWS must not have an unprotected header");
  return {};
}

Status ReadKey(const JsonValue& header, Jws& jws) {
  const auto jwk = header.Find("jwk");
  AGENTCA_ASSIGN(jws.kid, header.OptionalString("kid"));
  if (jwk.has_value() == jws.kid.has_value()) {
    return Malformed("JWS needs exactly one of \"jwk\" and \"kid\"");
  }
  if (!jwk) return {};
  AGENTCA_ASSIGN(jws.jwk, ParseJwk(*jwk));
  const auto key_algorithm = TextMember(*jwk, "alg");
  if (key_algorithm && *key_algorithm != RowOf(jws.algorithm).name) {
    return Malformed("JWK is meant for another algorithm than \"alg\" says");
  }
  return {};
}

// What both serializations demand of a protected header: its algorithm.
Result<SignatureAlgorithm> ReadAlgorithm(const JsonValue& header) {
  if (!header.is_object()) return Malformed("JWS protected header must be a JSON object");
  // RFC 8555 §6.2: no "b64" (RFC 7797); and we understand no critical extension at all.
  if (header.Find("b64")) return Malformed("JWS payload must not be unencoded (\"b64\")");
  if (header.Find("crit")) return Malformed("JWS has critical header parameters we do not know");

  AGENTCA_ASSIGN(const std::string name, header.String("alg"));
  const auto* row = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                 [&](const AlgorithmRow& each) { return each.name == name; });
  if (row == kAlgorithms.end()) {
    return Error{Code::kBadSignatureAlgorithm, "JWS algorithm is not supported"};
  }
  return row->algorithm;
}

// The three encoded parts of a JWS, decoded.
struct Parts {
  JsonDocument header;
  Bytes payload;
  Bytes signature;
};

Result<Parts> DecodeParts(std::string_view protected_text, std::string_view payload_text,
                          std::string_view signature_text) {
  auto header_octets = FromBase64Url(protected_text);
  auto payload = FromBase64Url(payload_text);
  auto signature = FromBase64Url(signature_text);
  if (!header_octets.ok() || !payload.ok() || !signature.ok()) {
    return Malformed("JWS members must be base64url without padding");  // RFC 8555 §6.1
  }
  AGENTCA_ASSIGN(JsonDocument header, JsonDocument::Parse(AsText(*header_octets)));
  return Parts{std::move(header), *std::move(payload), *std::move(signature)};
}

Status ReadHeader(const JsonValue& header, Jws& jws) {
  AGENTCA_ASSIGN(jws.algorithm, ReadAlgorithm(header));
  AGENTCA_TRY(ReadKey(header, jws));
  AGENTCA_ASSIGN(jws.url, header.String("url"));
  AGENTCA_ASSIGN(jws.nonce, header.OptionalString("nonce"));
  // RFC 8555 §6.5.2: a nonce that is not base64url makes the JWS malformed.
  if (jws.nonce && !FromBase64Url(*jws.nonce).ok()) return Malformed("nonce is not base64url");
  return {};
}

}  // namespace

Result<Jws> Jws::Parse(std::string_view body) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(body));
  const JsonValue root = document.root();
  AGENTCA_TRY(CheckEnvelope(root));
  AGENTCA_ASSIGN(const std::string protected_text, root.String("protected"));
  AGENTCA_ASSIGN(const std::string payload_text, root.String("payload"));
  AGENTCA_ASSIGN(const std::string signature_text, root.String("signature"));

  AGENTCA_ASSIGN(Parts parts, DecodeParts(protected_text, payload_text, signature_text));

  Jws jws{};
  AGENTCA_TRY(ReadHeader(parts.header.root(), jws));
  jws.payload = AsText(parts.payload);
  jws.signing_input = protected_text + "." + payload_text;
  jws.signature = std::move(parts.signature);
  return jws;
}

Status VerifyJoseSignature(SignatureAlgorithm algorithm, ByteView signing_input,
                           const Bytes& signature, const PublicKey& signer) {
  if (signer.type() != RowOf(algorithm).key) {
    return Malformed("the algorithm of the signature does not fit the type of the key");
  }
  AGENTCA_ASSIGN(const Bytes x509_form, ToX509Signature(signer.type(), signature));
  if (!signer.Verify(algorithm, signing_input, x509_form)) {
    return Malformed("JWS signature does not verify");
  }
  return {};
}

Status Jws::Verify(const ca::PublicKey& signer) const {
  return VerifyJoseSignature(algorithm, AsBytes(signing_input), signature, signer);
}

Result<CompactJws> CompactJws::Parse(std::string_view text) {
  // RFC 7515 §5.2, and RFC 7516 §9: a JWE has four dots.
  const size_t first = text.find('.');
  const size_t last = text.rfind('.');
  if (first == std::string_view::npos || text.find('.', first + 1) != last || first == last) {
    return Malformed("JWS must have three parts with dots between them (compact serialization)");
  }
  AGENTCA_ASSIGN(Parts parts,
                 DecodeParts(text.substr(0, first), text.substr(first + 1, last - first - 1),
                             text.substr(last + 1)));
  const JsonValue header = parts.header.root();
  CompactJws jws{};
  AGENTCA_ASSIGN(jws.algorithm, ReadAlgorithm(header));
  for (const std::string_view name : kKeyParameters) {
    if (header.Find(name))
      return Malformed("JWS must not bring its own key (\"" + std::string(name) + "\")");
  }
  AGENTCA_ASSIGN(auto kid, header.OptionalString("kid"));
  AGENTCA_ASSIGN(auto type, header.OptionalString("typ"));
  jws.kid = std::move(kid).value_or("");
  jws.type = std::move(type).value_or("");
  for (const auto& [name, value] : header.members()) jws.parameters.emplace_back(name);
  jws.payload = AsText(parts.payload);
  jws.signing_input = text.substr(0, last);
  jws.signature = std::move(parts.signature);
  return jws;
}

Status CompactJws::Verify(const ca::PublicKey& signer) const {
  return VerifyJoseSignature(algorithm, AsBytes(signing_input), signature, signer);
}

std::string_view JwsName(ca::SignatureAlgorithm algorithm) { return RowOf(algorithm).name; }

ca::SignatureAlgorithm JwsAlgorithmFor(ca::KeyType type) {
  return std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                      [&](const AlgorithmRow& row) { return row.key == type; })
      ->algorithm;
}

Result<ca::PublicKey> ParseJwk(const JsonValue& jwk) {
  if (!jwk.is_object()) return BadKey("JWK must be a JSON object");
  if (jwk.Find("d")) return BadKey("JWK holds a private key; consider it lost");
  const auto type = TextMember(jwk, "kty");
  if (type == "EC") return ParseEcJwk(jwk);
  if (type == "OKP") return ParseOkpJwk(jwk);
  if (type == "RSA") return ParseRsaJwk(jwk);
  return BadKey("JWK type must be EC, OKP or RSA");
}

std::string Thumbprint(const ca::PublicKey& key) {
  return ToBase64Url(Sha256(AsBytes(CanonicalJwk(key))));
}

}  // namespace agentca::acme
