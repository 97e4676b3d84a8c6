#include <algorithm>

#include "acme/attest/trust.h"
#include "acme/jws.h"

namespace agentca::acme::attest {
namespace {

constexpr size_t kMaxKeys = 64;
constexpr JsonLimits kLimits{.max_size = 256 * 1024, .max_depth = 6};

Error Malformed(std::string detail) { return {Code::kMalformed, "JWK Set: " + std::move(detail)}; }

// Keys that nobody but their owner may know.
bool IsSecret(const JsonValue& jwk) {
  const auto type = jwk.Find("kty");
  return jwk.Find("d") || jwk.Find("k") || (type && type->AsString() == "oct");
}

// RFC 7517 §4.2, §4.3; "jwt-svid" is what SPIFFE bundles say (SPIFFE Trust Domain and Bundle
// §4.2.2).
bool IsForSignatures(const JsonValue& jwk) {
  const auto use = jwk.Find("use");
  if (use && use->AsString() != "sig" && use->AsString() != "jwt-svid") return false;
  const auto operations = jwk.OptionalStrings("key_ops");
  if (!operations.ok()) return false;
  return !*operations ||
         std::find((*operations)->begin(), (*operations)->end(), "verify") != (*operations)->end();
}

}  // namespace

Result<KeySet> KeySet::Parse(std::string_view json) {
  const auto document = JsonDocument::Parse(json, kLimits);
  if (!document.ok()) return Malformed(document.error().detail);
  const auto members = document->root().Find("keys");
  if (!members || !members->is_array()) return Malformed("member \"keys\" must be an array");
  const auto elements = members->elements();
  if (elements.size() > kMaxKeys) return Malformed("more than 64 keys");

  KeySet set;
  for (const JsonValue& jwk : elements) {
    if (!jwk.is_object()) return Malformed("a key must be a JSON object");
    if (IsSecret(jwk)) return Malformed("holds a private or symmetric key; consider it lost");
    auto kid = jwk.OptionalString("kid");
    if (!kid.ok()) return Malformed(kid.error().detail);
    if (!IsForSignatures(jwk)) continue;
    auto key = ParseJwk(jwk);
    if (!key.ok()) continue;
    const auto algorithm = jwk.Find("alg");
    if (algorithm && algorithm->AsString() != JwsName(JwsAlgorithmFor(key->type()))) continue;
    set.keys.emplace_back(kid->value_or(""), *std::move(key));
  }
  if (set.keys.empty()) return Malformed("no key that we accept is in it");
  return set;
}

std::vector<ca::PublicKey> KeySet::Find(std::string_view kid) const {
  std::vector<ca::PublicKey> found;
  for (const auto& [name, key] : keys) {
    if (name == kid || (kid.empty() && keys.size() == 1)) found.push_back(key);
  }
  return found;
}

}  // namespace agentca::acme::attest
