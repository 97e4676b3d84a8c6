#include "acme/attest/token.h"

#include <algorithm>
#include <cmath>

namespace agentca::acme::attest {
namespace {

constexpr JsonLimits kClaimLimits{.max_size = kMaxEvidence, .max_depth = 8};
constexpr size_t kMaxAudiences = 64;
constexpr size_t kMaxClaimName = 256;  // octets, flattened
constexpr size_t kMaxClaimValues = 1024;
constexpr size_t kMaxQuoted = 128;
constexpr double kLastSecond = 253'402'300'799;  // of the year 9999

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// Members of one object under `prefix`; recursion is bounded by the depth limit of the parser.
Status FlattenInto(const JsonValue& object, const std::string& prefix, size_t& left,
                   ca::Claims& out) {  // NOLINT(misc-no-recursion)
  for (const auto& [member, value] : object.members()) {
    const std::string name = prefix + std::string(member);
    if (name.size() > kMaxClaimName) return Malformed("a claim has too long a name");
    if (value.is_object()) {
      AGENTCA_TRY(FlattenInto(value, name + "/", left, out));
      continue;
    }
    std::vector<std::string> texts;
    if (auto text = value.AsScalarText()) texts.push_back(*std::move(text));
    for (const JsonValue& element : value.elements()) {
      if (auto text = element.AsScalarText()) texts.push_back(*std::move(text));
    }
    if (texts.empty()) continue;  // null, or a list of what no rule can look at
    if (texts.size() > left) return Malformed("there are too many claims");
    left -= texts.size();
    // {"a/b": 1, "a": {"b": 2}}: whoever may choose one of them must not speak for the other.
    if (!out.emplace(name, std::move(texts)).second) {
      return Malformed("two claims are both called " + Quoted(name));
    }
  }
  return {};
}

// What all challenges of this CA have in front: up to and with "/challenge/".
std::string_view OwnPrefix(std::string_view audience) {
  constexpr std::string_view kChallenge = "/challenge/";
  const size_t at = audience.find(kChallenge);
  return at == std::string_view::npos ? audience : audience.substr(0, at + kChallenge.size());
}

std::string OurAlgorithms() {
  std::string out;
  for (const std::string_view name : kJwsAlgorithms) {
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  return out;
}

}  // namespace

Token::Token(CompactJws jws, JsonDocument claims)
    : jws_(std::move(jws)), claims_(std::move(claims)) {}

Result<Token> Token::Parse(ByteView evidence) {
  if (evidence.size() > kMaxEvidence) return Malformed("the token is too large");
  auto jws = CompactJws::Parse(AsText(evidence));
  if (!jws.ok()) {
    if (jws.error().code != Code::kBadSignatureAlgorithm) return std::move(jws).error();
    return BadAttestation(cause::kBadSignature,
                          "the algorithm of the token is none of " + OurAlgorithms());
  }
  auto claims = JsonDocument::Parse(jws->payload, kClaimLimits);
  if (!claims.ok()) return Malformed("claims of the token: " + claims.error().detail);
  if (!claims->root().is_object()) return Malformed("claims of the token are no JSON object");
  return Token(*std::move(jws), *std::move(claims));
}

Status Token::VerifySignature(const Trust& trust) const {
  AGENTCA_ASSIGN(const auto keys, trust.KeysFor(jws_.kid));
  // Several keys may share a `kid` as long as they are of different types (RFC 7517 §4.5).
  const bool verified =
      std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return jws_.Verify(key).ok(); });
  if (verified) return {};
  return BadAttestation(cause::kBadSignature, "no key of source " + Quoted(trust.source().name) +
                                                  " made the signature (" +
                                                  std::string(JwsName(jws_.algorithm)) + ")");
}

Result<std::optional<Time>> DateClaim(const JsonValue& claims, std::string_view name) {
  const auto member = claims.Find(name);
  if (!member) return std::optional<Time>();
  const auto number = member->AsNumber();
  if (!number || !(*number >= 0 && *number <= kLastSecond)) {
    return Malformed("claim " + Quoted(name) + " is not a date (seconds since 1970)");
  }
  return std::optional<Time>(Seconds(static_cast<int64_t>(std::floor(*number))));
}

Status CheckTimes(const JsonValue& claims, Time now) {
  AGENTCA_ASSIGN(const auto expires, DateClaim(claims, "exp"));
  AGENTCA_ASSIGN(const auto not_before, DateClaim(claims, "nbf"));
  AGENTCA_ASSIGN(const auto issued, DateClaim(claims, "iat"));
  if (!expires) return Malformed("claim \"exp\" is missing: evidence must expire");
  // §4.1.4: "the current date/time MUST be before the expiration date/time".
  if (now >= *expires + kClockLeeway) {
    return BadAttestation(cause::kExpired, "since " + ToRfc3339(*expires));
  }
  if (not_before && *not_before > now + kClockLeeway) {
    return BadAttestation(cause::kNotYetValid, "before " + ToRfc3339(*not_before));
  }
  if (issued && *issued > now + kClockLeeway) {
    return BadAttestation(cause::kNotYetValid, "made in the future, at " + ToRfc3339(*issued));
  }
  return {};
}

Result<std::vector<std::string>> Audiences(const JsonValue& claims) {
  std::vector<std::string> audiences;
  const auto member = claims.Find("aud");
  if (!member) return Malformed("claim \"aud\" is missing");
  if (const auto one = member->AsString()) {
    audiences.emplace_back(*one);
    return audiences;
  }
  AGENTCA_ASSIGN(auto several, claims.OptionalStrings("aud"));
  audiences = *std::move(several);
  if (audiences.empty()) return Malformed("claim \"aud\" is empty");
  if (audiences.size() > kMaxAudiences) return Malformed("claim \"aud\" has too many values");
  return audiences;
}

Result<Binding> MatchAudience(const std::vector<std::string>& audiences,
                              const Expectation& expectation) {
  const auto has = [&](const std::string& wanted) {
    return std::find(audiences.begin(), audiences.end(), wanted) != audiences.end();
  };
  Expectation keyless = expectation;
  keyless.key = nullptr;
  if (expectation.key != nullptr && has(TokenAudience(expectation))) return Binding::kNonceAndKey;
  if (has(TokenAudience(keyless))) return Binding::kNonce;

  const auto begins = [&](std::string_view prefix) {
    return std::any_of(audiences.begin(), audiences.end(),
                       [&](const std::string& each) { return each.starts_with(prefix); });
  };
  if (begins(expectation.audience + "#")) {
    return BadAttestation(cause::kStaleNonce,
                          "the audience names this challenge with another nonce, account or key");
  }
  if (begins(OwnPrefix(expectation.audience))) {
    return BadAttestation(cause::kStaleNonce, "the audience " + Quoted(audiences.front()) +
                                                  " is not that of this challenge");
  }
  return BadAttestation(cause::kForeignAudience, "the token is for " + Quoted(audiences.front()) +
                                                     ", it must be for " +
                                                     Quoted(TokenAudience(expectation)));
}

Result<ca::Claims> Flatten(const JsonValue& claims) {
  ca::Claims out;
  size_t left = kMaxClaimValues;
  AGENTCA_TRY(FlattenInto(claims, "", left, out));
  return out;
}

Result<std::string> ReplayIdOf(std::string_view source, const JsonValue& claims) {
  AGENTCA_ASSIGN(const auto id, claims.OptionalString("jti"));
  if (!id || id->empty()) return std::string();
  // No JSON text of ours holds NUL, so that the two cannot be confused.
  const std::string both = std::string(source) + '\0' + *id;
  return "jti:" + ToBase64Url(Sha256(AsBytes(both)));
}

std::string Quoted(std::string_view text) {
  std::string out(text.substr(0, kMaxQuoted));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.size() > kMaxQuoted) out += "…";
  return "\"" + out + "\"";
}

}  // namespace agentca::acme::attest
