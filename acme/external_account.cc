#include "acme/external_account.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "acme/jws.h"

namespace agentca::acme {
namespace {

constexpr std::string_view kAlgorithm = "HS256";
constexpr size_t kMacOctets = 32;

Error Malformed(std::string detail) {
  return {Code::kMalformed, "externalAccountBinding: " + std::move(detail)};
}

Result<std::string> ReadHeader(std::string_view octets, std::string_view url) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(octets));
  const JsonValue header = document.root();
  if (!header.is_object()) return Malformed("the protected header must be a JSON object");
  if (header.Find("nonce")) return Malformed("there must be no \"nonce\"");
  if (header.Find("crit")) return Malformed("it has critical header parameters we do not know");
  if (header.Find("b64")) return Malformed("the payload must not be unencoded (\"b64\")");
  AGENTCA_ASSIGN(const std::string algorithm, header.String("alg"));
  if (algorithm != kAlgorithm) return Malformed("\"alg\" must be HS256");
  AGENTCA_ASSIGN(const std::string inner_url, header.String("url"));
  if (inner_url != url) {
    return Error{Code::kUnauthorized, "externalAccountBinding: \"url\" is not that of the request"};
  }
  AGENTCA_ASSIGN(std::string kid, header.String("kid"));
  if (kid.empty()) return Malformed("\"kid\" is empty");
  return kid;
}

Status CheckPayload(std::string_view octets, const ca::PublicKey& account_key) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(octets));
  const auto key = ParseJwk(document.root());
  if (!key.ok()) return Malformed("the payload is no public key: " + key.error().detail);
  if (*key == account_key) return {};
  return Malformed("the payload is not the account's key");
}

}  // namespace

Result<ExternalAccountBinding> ExternalAccountBinding::Parse(const JsonValue& binding,
                                                             std::string_view url,
                                                             const ca::PublicKey& account_key) {
  if (!binding.is_object()) return Malformed("must be a JSON object");
  if (binding.Find("signatures") || binding.Find("header")) {
    return Malformed("must be a flattened JWS without an unprotected header");
  }
  ExternalAccountBinding out;
  AGENTCA_ASSIGN(out.protected_text, binding.String("protected"));
  AGENTCA_ASSIGN(out.payload_text, binding.String("payload"));
  AGENTCA_ASSIGN(out.signature_text, binding.String("signature"));
  const auto header = FromBase64Url(out.protected_text);
  const auto payload = FromBase64Url(out.payload_text);
  auto mac = FromBase64Url(out.signature_text);
  if (!header.ok() || !payload.ok() || !mac.ok()) {
    return Malformed("members must be base64url without padding");
  }
  AGENTCA_ASSIGN(out.kid, ReadHeader(AsText(*header), url));
  AGENTCA_TRY(CheckPayload(AsText(*payload), account_key));
  out.mac = *std::move(mac);
  return out;
}

bool ExternalAccountBinding::Verify(ByteView mac_key) const {
  if (mac_key.size() < kMacOctets) return false;  // RFC 7518 §3.2; a spent grant has none
  const std::string input = protected_text + "." + payload_text;
  std::array<uint8_t, EVP_MAX_MD_SIZE> expected{};
  unsigned size = 0;
  const bool done = HMAC(EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()),
                         AsBytes(input).data(), input.size(), expected.data(), &size) != nullptr;
  return done && ConstantTimeEqual(ByteView(expected).first(size), mac);
}

std::string ExternalAccountBinding::Json() const {
  JsonWriter json;
  json.BeginObject().Member("protected", protected_text).Member("payload", payload_text);
  json.Member("signature", signature_text).EndObject();
  return std::move(json).Take();
}

}  // namespace agentca::acme
