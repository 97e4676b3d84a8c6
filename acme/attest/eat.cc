// `eat`: an Entity Attestation Token (RFC 9711), as a JWT in the compact serialization or as a CWT
// (RFC 8392: COSE_Sign1, bare or with tag 18, or tags 61 and 18), signed by a key of the source's
// JWK Set, or by that of a certificate in `chain` up to one of the source's roots.
//
//   eat_nonce       N (RFC 9711 §4.1), the one value or one of several: 32 octets in a CWT,
//                   base64url(N) in a JWT
//   cnf             RFC 7800, RFC 8747: the certificate's key ("jwk", "jkt"; COSE_Key)
//   iss             if the source has an issuer: exactly that
//   exp, nbf, iat   checked when there; few devices have a clock, and N is fresh. iat is an
//                   integer (§4.3.1)
//   aud             may be left out: N names account and challenge. If there, one is the
//                   challenge's URL.
//   dbgstat         here or in a submodule (§4.2.9): whatever says "enabled" is refused ("debug
//                   mode")
//   jti, cti        optional; then single use
//
// Level 2: fresh. Level 3: cnf is the certificate's key. Level 4 when besides
//   - dbgstat is "disabled-since-boot" or stronger ("disabled" does not say since when),
//   - oemid and hwmodel say what hardware it is, and
//   - the source *requires* hwmodel, measurements or a claim of submods: only an administrator
//     who has said which hardware or which software it shall be has reason to believe that it is
//     hardware.
//
// Claims are those of ca::Claims, a CWT's in the words of a JWT (acme/attest/cwt.h). "measurements"
// and "manifests" (§4.2.15, §4.2.16), here and in submodules, have the values
// "<content type>:sha256:<hex of the content's hash>". With a chain, "attester/…" are the claims of
// the attester's certificate. Nested tokens are signed by others and believed by nobody.
#include <algorithm>
#include <array>

#include "acme/attest/attester_certificate.h"
#include "acme/attest/chain.h"
#include "acme/attest/confirmation.h"
#include "acme/attest/cose.h"
#include "acme/attest/cwt.h"
#include "acme/attest/measurement.h"
#include "acme/attest/token.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kName = "eat";
constexpr std::string_view kAttester = "attester/";
// base64url and escapes make the JSON of a CWT larger than the CWT.
constexpr JsonLimits kCwtLimits{.max_size = 8 * kMaxEvidence, .max_depth = 20};
constexpr size_t kMaxMeasurements = 64;

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// Either serialization, read and not yet believed.
struct Envelope {
  std::optional<Token> token;     // one of
  std::optional<CoseSign1> cose;  // the two
  std::optional<JsonDocument> cwt_claims;
  std::optional<ca::PublicKey> cwt_key;  // its cnf

  JsonValue claims() const { return token ? token->claims() : cwt_claims->root(); }
};

// A compact JWS begins with the base64url of '{'. No COSE_Sign1 does: that octet is a CBOR text's.
bool IsJwt(ByteView evidence) { return !evidence.empty() && evidence.front() == 'e'; }

Result<Envelope> Open(ByteView evidence) {
  Envelope out;
  if (evidence.size() > kMaxEvidence) return Malformed("the token is too large");
  if (IsJwt(evidence)) {
    AGENTCA_ASSIGN(out.token, Token::Parse(evidence));
    return out;
  }
  auto cose = CoseSign1::Parse(evidence);
  if (!cose.ok()) {
    if (cose.error().code != Code::kBadSignatureAlgorithm) return std::move(cose).error();
    return BadAttestation(cause::kBadSignature, "the algorithm of the token is none of ours");
  }
  out.cose = *std::move(cose);
  AGENTCA_ASSIGN(CwtClaims claims, ReadCwtClaims(out.cose->payload));
  out.cwt_key = std::move(claims.confirmed);
  auto json = JsonDocument::Parse(claims.json, kCwtLimits);
  if (!json.ok()) return Malformed("claims of the token: " + json.error().detail);
  out.cwt_claims = *std::move(json);
  return out;
}

bool MayBeFrom(const JsonValue& claims, const ca::EvidenceSource& source) {
  const auto issuer = claims.Find("iss");
  return source.issuer.empty() || (issuer && issuer->AsString() == source.issuer);
}

// As CheckTimes, but evidence without `exp` is what many devices make.
Status CheckDates(const JsonValue& claims, Time now) {
  if (const auto issued = claims.Find("iat"); issued && !issued->AsInt()) {
    return Malformed("claim \"iat\" is no integer");
  }
  if (claims.Find("exp")) return CheckTimes(claims, now);
  for (const std::string_view name : {"nbf", "iat"}) {
    AGENTCA_ASSIGN(const auto date, DateClaim(claims, name));
    if (date && *date > now + kClockLeeway) {
      return BadAttestation(cause::kNotYetValid,
                            "claim " + Quoted(name) + " is ahead: " + ToRfc3339(*date));
    }
  }
  return {};
}

// RFC 9711 §4.1: one nonce, or an array of them.
Status CheckNonce(const JsonValue& claims, const Expectation& expectation) {
  const auto nonce = claims.Find("eat_nonce");
  if (!nonce) return Malformed("claim \"eat_nonce\" is missing");
  const std::string wanted = ToBase64Url(expectation.nonce);
  const auto elements = nonce->elements();
  const bool found = nonce->AsString() == wanted ||
                     std::any_of(elements.begin(), elements.end(),
                                 [&](const JsonValue& each) { return each.AsString() == wanted; });
  if (found) return {};
  return BadAttestation(cause::kStaleNonce, "the token was made for another challenge");
}

Status CheckAudience(const JsonValue& claims, const Expectation& expectation) {
  if (!claims.Find("aud")) return {};
  AGENTCA_ASSIGN(const auto audiences, Audiences(claims));
  if (std::find(audiences.begin(), audiences.end(), expectation.audience) != audiences.end()) {
    return {};
  }
  return BadAttestation(cause::kForeignAudience, "the token is for " + Quoted(audiences.front()));
}

// RFC 9711 §4.2.9, of a claims set and its submodules. True: off since boot at least, as far as it
// is said at the top.
Result<bool> CheckDebugStatus(
    const JsonValue& claims) {  // NOLINT(misc-no-recursion): parser's depth
  constexpr std::array<std::string_view, 4> kOff{
      "disabled", "disabled-since-boot", "disabled-permanently", "disabled-fully-and-permanently"};
  bool since_boot = false;
  if (const auto status = claims.Find("dbgstat")) {
    const auto* word = std::find(kOff.begin(), kOff.end(), status->AsString().value_or(""));
    if (word == kOff.end()) {
      return BadAttestation(
          cause::kDebugMode,
          "claim \"dbgstat\" is " + Quoted(status->AsScalarText().value_or("no text")));
    }
    since_boot = word != kOff.begin();
  }
  const auto submodules = claims.Find("submods");
  if (!submodules) return since_boot;
  for (const auto& [name, submodule] : submodules->members()) {
    if (submodule.is_object()) AGENTCA_TRY(CheckDebugStatus(submodule));
  }
  return since_boot;
}

// Whether the token covers the certificate's key.
Result<bool> CheckKey(const Envelope& envelope, const Expectation& expectation) {
  if (envelope.token) return CheckConfirmation(envelope.claims(), expectation);
  if (!envelope.cwt_key) return false;
  if (expectation.key == nullptr) {
    return BadAttestation(cause::kKeyMismatch,
                          "the evidence is for a key, and \"spki\" does not say which");
  }
  if (*envelope.cwt_key == *expectation.key) return true;
  return BadAttestation(cause::kKeyMismatch, "the evidence is for another key");
}

Status VerifySignature(const Envelope& envelope, const std::vector<ca::PublicKey>& keys,
                       const ca::EvidenceSource& source) {
  const bool verified = std::any_of(keys.begin(), keys.end(), [&](const ca::PublicKey& key) {
    return envelope.token ? envelope.token->jws().Verify(key).ok()
                          : envelope.cose->Verify(key).ok();
  });
  if (verified) return {};
  return BadAttestation(cause::kBadSignature,
                        "no key of source " + Quoted(source.name) + " made the signature");
}

// [content type, content] → "<type>:sha256:<hex>". A CWT's content came through base64url.
Result<std::string> MeasurementText(const JsonValue& entry) {
  const auto parts = entry.elements();
  const auto type = parts.size() == 2 ? parts[0].AsScalarText() : std::nullopt;
  const auto content = parts.size() == 2 ? parts[1].AsString() : std::nullopt;
  if (!type || !content) return Malformed("a measurement or manifest is not [type, content]");
  const auto octets = FromBase64Url(*content);
  const ByteView hashed = octets.ok() ? ByteView(*octets) : AsBytes(*content);
  return *type + ":sha256:" + ToHex(Sha256(hashed));
}

Status AddMeasurements(const JsonValue& claims, const std::string& prefix,
                       ca::Claims& out) {  // NOLINT(misc-no-recursion): parser's depth
  for (const std::string_view name : {"measurements", "manifests"}) {
    const auto entries = claims.Find(name);
    if (!entries) continue;
    std::vector<std::string> texts;
    for (const JsonValue& entry : entries->elements()) {
      if (texts.size() == kMaxMeasurements) return Malformed("there are too many measurements");
      AGENTCA_ASSIGN(texts.emplace_back(), MeasurementText(entry));
    }
    if (!texts.empty()) out[prefix + std::string(name)] = std::move(texts);
  }
  const auto submodules = claims.Find("submods");
  if (!submodules) return {};
  for (const auto& [name, submodule] : submodules->members()) {
    if (!submodule.is_object()) continue;
    AGENTCA_TRY(AddMeasurements(submodule, prefix + "submods/" + std::string(name) + "/", out));
  }
  return {};
}

int LevelOf(bool key_bound, bool off_since_boot, const ca::Claims& claims,
            const ca::EvidenceSource& source) {
  if (!key_bound) return 2;
  const bool is_hardware = off_since_boot && claims.contains("oemid") && claims.contains("hwmodel");
  const bool was_judged = Requires(source, "hwmodel") || Requires(source, "measurements") ||
                          Requires(source, "submods");
  return is_hardware && was_judged ? 4 : 3;
}

class Eat final : public Format {
 public:
  std::string_view name() const override { return kName; }

  std::vector<std::string> Candidates(
      const EvidenceStatement& statement,
      const std::vector<ca::EvidenceSource>& sources) const override {
    std::vector<std::string> names;
    const auto envelope = Open(statement.evidence);
    for (const ca::EvidenceSource& source : sources) {
      if (source.format != kName) continue;
      // All when it is no token, so that Verify says what is wrong with it.
      if (!envelope.ok() || MayBeFrom(envelope->claims(), source)) names.push_back(source.name);
    }
    return names;
  }

  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_ASSIGN(const Envelope envelope, Open(statement.evidence));
    const JsonValue claims = envelope.claims();
    if (!MayBeFrom(claims, trust.source())) {
      return BadAttestation(cause::kWrongIssuer,
                            "claim \"iss\" is not " + Quoted(trust.source().issuer));
    }
    AGENTCA_TRY(CheckDates(claims, expectation.now));
    AGENTCA_TRY(CheckNonce(claims, expectation));
    AGENTCA_TRY(CheckAudience(claims, expectation));
    AGENTCA_ASSIGN(const bool off_since_boot, CheckDebugStatus(claims));
    Attested attested;
    AGENTCA_ASSIGN(attested.key_bound, CheckKey(envelope, expectation));
    AGENTCA_ASSIGN(attested.claims, Flatten(claims));
    AGENTCA_TRY(AddMeasurements(claims, "", attested.claims));
    AGENTCA_TRY(Authenticate(statement, envelope, trust, expectation.now, attested.claims));
    AGENTCA_TRY(CheckRequired(trust.source(), attested.claims));
    attested.level = LevelOf(attested.key_bound, off_since_boot, attested.claims, trust.source());
    AGENTCA_ASSIGN(attested.replay_id, ReplayIdOf(trust.source().name, claims));
    return attested;
  }

 private:
  // The signature, by a key that the source has or whose certificate its roots vouch for.
  static Status Authenticate(const EvidenceStatement& statement, const Envelope& envelope,
                             const Trust& trust, Time now, ca::Claims& claims) {
    // What a token says under a name of ours must not pass for what a certificate says.
    const auto first = claims.lower_bound(std::string(kAttester));
    if (first != claims.end() && first->first.starts_with(kAttester)) {
      return Malformed("claim " + Quoted(first->first) + " is ours to make");
    }
    if (statement.chain.empty()) {
      const std::string kid = envelope.token ? envelope.token->jws().kid : envelope.cose->kid;
      AGENTCA_ASSIGN(const auto keys, trust.KeysFor(kid));
      return VerifySignature(envelope, keys, trust.source());
    }
    AGENTCA_TRY(VerifyChain(statement.chain, trust.roots(), Purpose::kAny, now));
    AGENTCA_ASSIGN(const auto certificate, AttesterCertificate::Parse(statement.chain.front()));
    AGENTCA_TRY(VerifySignature(envelope, {certificate.key}, trust.source()));
    for (const auto& [name, values] : certificate.claims) {
      claims[std::string(kAttester) + name] = values;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Format> MakeEatFormat() { return std::make_unique<Eat>(); }

}  // namespace agentca::acme::attest
