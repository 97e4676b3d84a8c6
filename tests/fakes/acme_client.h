// An ACME client without a network: makes signed requests for acme::Service.
#pragma once

#include <openssl/ecdsa.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acme/http/message.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "ca/der.h"
#include "tests/fakes/test_signer.h"

namespace agentca::fakes {

inline std::string JwkOf(const ca::PublicKey& key) {
  const ByteView spki(key.spki());
  const auto ec = [&](const std::string& curve, size_t size) {
    return R"({"kty":"EC","crv":")" + curve + R"(","x":")" +
           ToBase64Url(spki.last(2 * size).first(size)) + R"(","y":")" +
           ToBase64Url(spki.last(size)) + R"("})";
  };
  switch (key.type()) {
    case ca::KeyType::kP256:
      return ec("P-256", 32);
    case ca::KeyType::kP384:
      return ec("P-384", 48);
    case ca::KeyType::kEd25519:
      return R"({"kty":"OKP","crv":"Ed25519","x":")" + ToBase64Url(spki.last(32)) + R"("})";
    case ca::KeyType::kRsa:
      break;
  }
  BIGNUM* n = nullptr;
  EVP_PKEY_get_bn_param(key.evp(), "n", &n);
  const ca::openssl::BignumPtr owner(n);
  Bytes modulus(static_cast<size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, modulus.data());
  return R"({"kty":"RSA","e":"AQAB","n":")" + ToBase64Url(modulus) + R"("})";
}

inline std::string AlgorithmNameOf(ca::KeyType type) {
  switch (type) {
    case ca::KeyType::kP256:
      return "ES256";
    case ca::KeyType::kP384:
      return "ES384";
    case ca::KeyType::kEd25519:
      return "EdDSA";
    case ca::KeyType::kRsa:
      break;
  }
  return "RS256";
}

// ECDSA: r ‖ s of full size; others as they are (RFC 7518 §3.4).
inline Bytes SignForJws(TestSigner& key, ByteView message) {
  const Bytes signature = key.Sign(message).value();
  const ca::KeyType type = key.public_key().type();
  if (type != ca::KeyType::kP256 && type != ca::KeyType::kP384) return signature;
  const int size = type == ca::KeyType::kP256 ? 32 : 48;
  const unsigned char* cursor = signature.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parsed(
      d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature.size())), ECDSA_SIG_free);
  Bytes raw(static_cast<size_t>(2 * size));
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), raw.data(), size);
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), raw.data() + size, size);
  return raw;
}

// Flattened JWS over a header that is given as JSON text.
inline std::string SignJws(TestSigner& key, std::string_view header, std::string_view payload) {
  const std::string head = ToBase64Url(AsBytes(header));
  const std::string body = ToBase64Url(AsBytes(payload));
  const Bytes signature = SignForJws(key, AsBytes(head + "." + body));
  return R"({"protected":")" + head + R"(","payload":")" + body + R"(","signature":")" +
         ToBase64Url(signature) + R"("})";
}

// A protected header whose members tests replace or take away; values are JSON.
using JwsHeader = std::map<std::string, std::string>;
inline std::string HeaderJson(const JwsHeader& header) {
  acme::JsonWriter json;
  json.BeginObject();
  for (const auto& [name, value] : header) json.Key(name).Raw(value);
  json.EndObject();
  return std::move(json).Take();
}
inline std::string JsonQuoted(std::string_view text) {
  acme::JsonWriter json;
  json.String(text);
  return std::move(json).Take();
}

inline std::string HeaderOf(const acme::http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (acme::http::EqualNames(key, name)) return value;
  }
  return "";
}
inline std::string LinkOf(const acme::http::Response& response, const std::string& relation) {
  const std::string suffix = ";rel=\"" + relation + "\"";
  for (const auto& [key, value] : response.headers) {
    if (acme::http::EqualNames(key, "Link") && value.ends_with(suffix)) {
      return value.substr(1, value.size() - suffix.size() - 2);
    }
  }
  return "";
}

// PKCS#10 for these DNS names, signed by `key`; an empty subject.
inline Bytes MakeCsr(TestSigner& key, const std::vector<std::string>& names) {
  namespace der = ca::der;
  Bytes general_names;
  for (const std::string& name : names) {
    const Bytes tlv = der::Tlv(der::Primitive(2), AsBytes(name));
    general_names.insert(general_names.end(), tlv.begin(), tlv.end());
  }
  const Bytes san =
      der::Sequence({Bytes{0x06, 0x03, 0x55, 0x1d, 0x11},
                     der::Tlv(der::kOctetString, der::Tlv(der::kSequence, general_names))});
  const Bytes request_oid{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
  const Bytes attribute =
      der::Sequence({request_oid, der::Tlv(der::kSet, der::Sequence({san}))});
  const Bytes info = der::Sequence({der::Integer(0), der::Sequence({}), key.public_key().spki(),
                                    der::Tlv(der::Constructed(0), attribute)});
  const Bytes signature = key.Sign(info).value();
  return der::Sequence({info, ca::AlgorithmIdentifier(key.algorithm()), der::BitString(signature)});
}

}  // namespace agentca::fakes
