#include "acme/cli/profiles.h"

#include <algorithm>
#include <limits>

#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonValue;

constexpr std::string_view kRoot = R"json({
  "key_usage": ["keyCertSign", "cRLSign"],
  "allowed_keys": ["p256", "p384", "rsa3072"],
  "lifetime": "7305d",
  "backdate": "1h",
  "is_ca": true
}
)json";

constexpr std::string_view kIssuing = R"json({
  "key_usage": ["digitalSignature", "keyCertSign", "cRLSign"],
  "allowed_keys": ["p256", "p384", "rsa3072"],
  "lifetime": "3652d",
  "backdate": "1h",
  "is_ca": true,
  "path_length": 0,
  "permitted_dns": [PERMITTED]
}
)json";

constexpr std::string_view kOcspDelegate = R"json({
  "key_usage": ["digitalSignature"],
  "extended_key_usage": ["OCSPSigning"],
  "allowed_keys": ["p256", "p384", "rsa3072"],
  "lifetime": "14d",
  "backdate": "1h",
  "ocsp_no_check": true
}
)json";

constexpr std::string_view kTlsServer = R"json({
  "key_usage": ["digitalSignature", "keyEncipherment"],
  "extended_key_usage": ["serverAuth"],
  "allowed_keys": ["p256"],
  "lifetime": "30d",
  "backdate": "1h",
  "max_names": 100,
  "allow_ip_addresses": true
}
)json";

// Of agents (agent-attest-01). The policy shortens the lifetime by class; this is the upper bound.
constexpr std::string_view kAgent = R"json({
  "key_usage": ["digitalSignature"],
  "extended_key_usage": ["clientAuth", "serverAuth"],
  "allowed_keys": ["p256", "p384", "ed25519", "rsa2048"],
  "lifetime": "7d",
  "backdate": "5m",
  "max_names": 2
}
)json";

// Of agents whose key is in hardware and proved it: "annual-hsm" in their registration.
constexpr std::string_view kAgentAnnualHsm = R"json({
  "key_usage": ["digitalSignature"],
  "extended_key_usage": ["clientAuth", "serverAuth"],
  "allowed_keys": ["p256", "p384", "ed25519", "rsa2048"],
  "lifetime": "365d",
  "backdate": "5m",
  "max_names": 2
}
)json";

// Agents are short-lived and renew by themselves: a stolen key is of use for days, not months.
constexpr std::string_view kServer = R"json({
  "key_usage": ["digitalSignature", "keyEncipherment"],
  "extended_key_usage": ["serverAuth", "clientAuth"],
  "allowed_keys": ["p256", "p384", "ed25519", "rsa2048"],
  "lifetime": "7d",
  "backdate": "1h",
  "max_names": 100,
  "allow_wildcards": true,
  "allow_ip_addresses": true
}
)json";

// Administrators. No name but the URI that the CA writes.
constexpr std::string_view kAdmin = R"json({
  "key_usage": ["digitalSignature"],
  "extended_key_usage": ["clientAuth"],
  "allowed_keys": ["p256", "p384", "ed25519", "rsa2048"],
  "lifetime": "30d",
  "backdate": "1h",
  "max_names": 1
}
)json";

constexpr std::string_view kMembers[] = {
    "subject",       "key_usage", "extended_key_usage", "allowed_keys",    "policies",
    "lifetime",      "backdate",  "max_names",          "allow_wildcards", "allow_ip_addresses",
    "ocsp_no_check", "is_ca",     "path_length",        "permitted_dns"};

Error Bad(std::string_view member, std::string_view cause) {
  return Error{Code::kMalformed, std::string(member) + ": " + std::string(cause)};
}

// "12h", "7d": whole seconds.
Result<int64_t> Lifetime(const JsonValue& object, std::string_view member) {
  AGENTCA_ASSIGN(const std::string text, object.String(member));
  const auto duration = ParseDuration(text);
  if (!duration.ok()) return Bad(member, duration.error().detail);
  return std::chrono::duration_cast<Seconds>(*duration).count();
}

Result<std::vector<std::string>> Strings(const JsonValue& object, std::string_view member) {
  AGENTCA_ASSIGN(auto strings, object.OptionalStrings(member));
  return std::move(strings).value_or(std::vector<std::string>{});
}

Result<bool> Bool(const JsonValue& object, std::string_view member) {
  AGENTCA_ASSIGN(const auto value, object.OptionalBool(member));
  return value.value_or(false);
}

// [["O", "Example"], ["CN", "{first-dns}"]]: order matters in a name.
Result<std::vector<std::pair<std::string, std::string>>> Subject(const JsonValue& object) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto subject = object.Find("subject");
  if (!subject) return out;
  if (!subject->is_array()) return Bad("subject", "must be an array of [TYPE, VALUE]");
  for (const JsonValue& part : subject->elements()) {
    const auto pair = part.elements();
    if (pair.size() != 2 || !pair[0].AsString() || !pair[1].AsString())
      return Bad("subject", "each part must be [TYPE, VALUE]");
    out.emplace_back(*pair[0].AsString(), *pair[1].AsString());
  }
  return out;
}

Status ReadBounds(const JsonValue& object, ca::RawProfile& raw) {
  AGENTCA_ASSIGN(const auto max_names, object.OptionalInt("max_names"));
  if (max_names && (*max_names < 0 || *max_names > 10'000))
    return Bad("max_names", "must be from 0 to 10000");
  raw.max_names = static_cast<uint32_t>(max_names.value_or(0));
  AGENTCA_ASSIGN(const auto path_length, object.OptionalInt("path_length"));
  if (path_length && (*path_length < 0 || *path_length > 10))
    return Bad("path_length", "must be from 0 to 10");
  if (path_length) raw.path_length = static_cast<int>(*path_length);
  return {};
}

Result<ca::RawProfile> ReadRaw(std::string_view name, const JsonValue& object) {
  if (!object.is_object()) return Error{Code::kMalformed, "must be one JSON object"};
  for (const auto& [member, value] : object.members())
    if (std::find(std::begin(kMembers), std::end(kMembers), member) == std::end(kMembers))
      return Bad(member, "no such member of a profile");
  ca::RawProfile raw;
  raw.name = name;
  AGENTCA_ASSIGN(raw.subject, Subject(object));
  AGENTCA_ASSIGN(raw.key_usage, Strings(object, "key_usage"));
  AGENTCA_ASSIGN(raw.extended_key_usage, Strings(object, "extended_key_usage"));
  AGENTCA_ASSIGN(raw.allowed_keys, Strings(object, "allowed_keys"));
  AGENTCA_ASSIGN(raw.policies, Strings(object, "policies"));
  AGENTCA_ASSIGN(raw.permitted_dns, Strings(object, "permitted_dns"));
  AGENTCA_ASSIGN(raw.lifetime_seconds, Lifetime(object, "lifetime"));
  AGENTCA_ASSIGN(raw.backdate_seconds, Lifetime(object, "backdate"));
  AGENTCA_ASSIGN(raw.allow_wildcards, Bool(object, "allow_wildcards"));
  AGENTCA_ASSIGN(raw.allow_ip_addresses, Bool(object, "allow_ip_addresses"));
  AGENTCA_ASSIGN(raw.ocsp_no_check, Bool(object, "ocsp_no_check"));
  AGENTCA_ASSIGN(raw.is_ca, Bool(object, "is_ca"));
  AGENTCA_TRY(ReadBounds(object, raw));
  return raw;
}

}  // namespace

Result<ca::Profile> ParseProfile(std::string_view name, std::string_view json) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(json));
  AGENTCA_ASSIGN(const ca::RawProfile raw, ReadRaw(name, document.root()));
  return ca::Profile::Make(raw);
}

Result<ca::Profile> ReadProfile(const Directory& directory, const std::string& name) {
  const auto file = directory.Profile(name);
  AGENTCA_ASSIGN(const std::string json, ReadTextFile(file));
  auto profile = ParseProfile(name, json);
  if (!profile.ok()) return Error{Code::kMalformed, file.string() + ": " + profile.error().detail};
  return profile;
}

std::vector<ProfileFile> InitialProfiles(std::span<const std::string> name_constraints) {
  std::string permitted;  // DNS names, checked before: nothing to escape
  for (const auto& suffix : name_constraints)
    permitted.append(permitted.empty() ? "\"" : ", \"").append(suffix).append("\"");
  std::string issuing(kIssuing);
  constexpr std::string_view kPlace = "PERMITTED";
  issuing.replace(issuing.find(kPlace), kPlace.size(), permitted);
  return {{"root", std::string(kRoot)},
          {"issuing", std::move(issuing)},
          {"ocsp-delegate", std::string(kOcspDelegate)},
          {"tls-server", std::string(kTlsServer)},
          {"admin", std::string(kAdmin)},
          {"server", std::string(kServer)},
          {"agent", std::string(kAgent)},
          {std::string("agent").append(kAnnualHsmSuffix), std::string(kAgentAnnualHsm)}};
}

}  // namespace agentca::cli
