#include "acme/cli/hook_call.h"

#include <algorithm>

namespace agentca::cli {
namespace {

constexpr std::string_view kLabel = "_acme-challenge.";
constexpr std::string_view kDns01 = "dns-01";
constexpr std::string_view kAgentAttest01 = "agent-attest-01";

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

std::string PlainName(std::string_view name) {
  std::string plain(name);
  std::transform(plain.begin(), plain.end(), plain.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  if (plain.starts_with(kLabel)) plain.erase(0, kLabel.size());
  if (plain.ends_with('.')) plain.pop_back();
  return plain;
}

Result<ProofRequest> MakeRequest(std::string_view name, std::string_view txt_value) {
  AGENTCA_ASSIGN(const Sha256Digest nonce, ParseTxtValue(txt_value));
  return ProofRequest{PlainName(name), nonce};
}

Result<HookCall> Prove(std::string_view name, std::string_view txt_value) {
  AGENTCA_ASSIGN(ProofRequest request, MakeRequest(name, txt_value));
  return HookCall{HookCall::Action::kProve, {std::move(request)}};
}

Result<HookCall> FromCertbot(const Environment& env) {
  const auto domain = env("CERTBOT_DOMAIN");
  const auto value = env("CERTBOT_VALIDATION");
  if (!domain || !value) {
    return Malformed(
        "no challenge to answer: give --agent and --txt, or run this as the hook of an ACME "
        "client (CERTBOT_DOMAIN and CERTBOT_VALIDATION are not set)");
  }
  if (env("CERTBOT_AUTH_OUTPUT")) return HookCall{};  // the clean-up hook
  return Prove(*domain, *value);
}

// "deploy_challenge" with HOOK_CHAIN=yes has all challenges in one call.
Result<HookCall> FromDehydrated(std::span<const std::string> triples) {
  if (triples.empty() || triples.size() % 3 != 0) {
    return Malformed("deploy_challenge: expected DOMAIN TOKEN VALUE");
  }
  HookCall call{HookCall::Action::kProve, {}};
  for (size_t i = 0; i < triples.size(); i += 3) {
    AGENTCA_ASSIGN(ProofRequest request, MakeRequest(triples[i], triples[i + 2]));
    call.requests.push_back(std::move(request));
  }
  return call;
}

// For dns-01 AUTH is the TXT value; for a type that uacme does not know it is the key authorization.
Result<HookCall> FromUacme(std::span<const std::string> arguments) {
  const std::string& type = arguments[1];
  if (type != kDns01 && type != kAgentAttest01) return HookCall{HookCall::Action::kDecline, {}};
  if (arguments[0] != "begin") return HookCall{};
  if (type == kDns01) return Prove(arguments[2], arguments[4]);
  return HookCall{HookCall::Action::kProve,
                  {{PlainName(arguments[2]), Sha256(AsBytes(arguments[4]))}}};
}

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Result<Sha256Digest> ParseTxtValue(std::string_view text) {
  const auto octets = FromBase64Url(text);
  Sha256Digest digest{};
  if (!octets.ok() || octets->size() != digest.size()) {
    return Malformed("the TXT value is not the base64url form of a SHA-256 digest");
  }
  std::copy(octets->begin(), octets->end(), digest.begin());
  return digest;
}

Result<HookCall> ReadHookCall(std::span<const std::string> arguments, const Environment& env) {
  if (arguments.empty()) return FromCertbot(env);
  const std::string& verb = arguments[0];
  if (verb == "deploy_challenge") return FromDehydrated(arguments.subspan(1));
  if (IsOneOf(verb, {"begin", "done", "failed"})) {
    if (arguments.size() != 5) return Malformed(verb + ": expected TYPE IDENTIFIER TOKEN AUTH");
    return FromUacme(arguments);
  }
  if (IsOneOf(verb, {"present", "add"})) {
    if (arguments.size() != 3) return Malformed(verb + ": expected FQDN VALUE");
    return Prove(arguments[1], arguments[2]);
  }
  // What is left of lego, acme.sh and dehydrated, whose handlers grow with its versions and which
  // asks hooks to ignore those that they do not know.
  if (IsOneOf(verb, {"cleanup", "rm"}) || verb.find('_') != std::string::npos) return HookCall{};
  return Malformed("unknown hook call '" + verb + "'");
}

}  // namespace agentca::cli
