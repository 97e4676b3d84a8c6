// `statement`: an orchestrator or a build attester signs what an agent is made of. A JWS in the
// compact serialization by a key of the source's JWK Set, with our algorithms and
//
//   header   alg; kid when the JWK Set has several keys; typ = "agent-statement+jwt" (RFC 8725
//   §3.11:
//            an ID Token of the same key, whose `nonce` its client chooses, is no statement)
//   nonce    base64url(N)
//   cnf      RFC 7800: {"jwk": …} the certificate's key, or {"jkt": "…"} its RFC 7638 thumbprint
//            (RFC 9449 §6.1). Level 3; without it the statement is fresh, but bound to no key:
//            level 2.
//   iat, exp both required; nbf is checked when there
//   aud      may be left out: N names account and challenge. If there, one is the challenge's URL.
//   iss      if the source has an issuer: exactly that
//   jti      optional; then single use
//   components  optional: [{"kind":"model|image|config|prompt|tools",
//               "hashAlgorithm":"sha256|sha384|sha512","digest":"<hex>"}, …], at most 64
//   sub and whatever else the rules of agents look at
//
// Components are claims as well: "component/image" → "sha256:<hex>".
#include <algorithm>
#include <array>

#include "acme/attest/confirmation.h"
#include "acme/attest/token.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kName = "statement";
constexpr std::string_view kType = "agent-statement+jwt";
constexpr size_t kMaxComponents = 64;

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

bool MayBeFrom(const JsonValue& claims, const ca::EvidenceSource& source) {
  const auto issuer = claims.Find("iss");
  return source.issuer.empty() || (issuer && issuer->AsString() == source.issuer);
}

Status CheckNonce(const JsonValue& claims, const Expectation& expectation) {
  AGENTCA_ASSIGN(const std::string nonce, claims.String("nonce"));
  if (nonce == ToBase64Url(expectation.nonce)) return {};
  return BadAttestation(cause::kStaleNonce, "the statement was made for another challenge");
}

Status CheckAudience(const JsonValue& claims, const Expectation& expectation) {
  if (!claims.Find("aud")) return {};
  AGENTCA_ASSIGN(const auto audiences, Audiences(claims));
  if (std::find(audiences.begin(), audiences.end(), expectation.audience) != audiences.end()) {
    return {};
  }
  return BadAttestation(cause::kForeignAudience,
                        "the statement is for " + Quoted(audiences.front()));
}

size_t DigestSize(std::string_view algorithm) {
  if (algorithm == "sha256") return 32;
  if (algorithm == "sha384") return 48;
  return algorithm == "sha512" ? 64 : 0;
}

Result<ca::Component> ReadComponent(const JsonValue& value) {
  ca::Component component;
  AGENTCA_ASSIGN(const std::string kind, value.String("kind"));
  AGENTCA_ASSIGN(component.kind, ca::ComponentKindFromString(kind));
  AGENTCA_ASSIGN(component.hash_algorithm, value.String("hashAlgorithm"));
  AGENTCA_ASSIGN(const std::string digest, value.String("digest"));
  AGENTCA_ASSIGN(component.digest, FromHex(digest));
  const size_t size = DigestSize(component.hash_algorithm);
  if (size == 0 || component.digest.size() != size) {
    return Malformed("the digest of a component must be a whole SHA-256, SHA-384 or SHA-512");
  }
  component.basis = ca::Basis::kSigned;
  return component;
}

Result<std::vector<ca::Component>> ReadComponents(const JsonValue& claims) {
  std::vector<ca::Component> components;
  const auto member = claims.Find("components");
  if (!member) return components;
  if (!member->is_array()) return Malformed("claim \"components\" must be an array");
  for (const JsonValue& element : member->elements()) {
    if (components.size() == kMaxComponents) return Malformed("there are too many components");
    auto component = ReadComponent(element);
    if (!component.ok()) {
      return Malformed("claim \"components\": " + component.error().detail);
    }
    components.push_back(*std::move(component));
  }
  return components;
}

// What a statement says under a name of ours must not pass for a digest.
Status AddComponentClaims(const std::vector<ca::Component>& components, ca::Claims& claims) {
  constexpr std::string_view kPrefix = "component/";
  for (const auto& [name, values] : claims) {
    if (name.starts_with(kPrefix)) return Malformed("claim " + Quoted(name) + " is ours to make");
  }
  for (const ca::Component& component : components) {
    claims[std::string(kPrefix) + std::string(ca::ToString(component.kind))].push_back(
        component.hash_algorithm + ":" + ToHex(component.digest));
  }
  return {};
}

class Statement final : public Format {
 public:
  std::string_view name() const override { return kName; }

  std::vector<std::string> Candidates(
      const EvidenceStatement& statement,
      const std::vector<ca::EvidenceSource>& sources) const override {
    return CandidatesFor(kName, statement, sources, MayBeFrom);
  }

  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_ASSIGN(const Token token, Token::Parse(statement.evidence));
    if (token.jws().type != kType) {
      return Malformed("the \"typ\" of a statement is \"" + std::string(kType) + "\"");
    }
    const JsonValue claims = token.claims();
    if (!MayBeFrom(claims, trust.source())) {
      return BadAttestation(cause::kWrongIssuer,
                            "claim \"iss\" is not " + Quoted(trust.source().issuer));
    }
    if (!claims.Find("iat")) return Malformed("claim \"iat\" is missing");
    AGENTCA_TRY(CheckTimes(claims, expectation.now));
    AGENTCA_TRY(CheckNonce(claims, expectation));
    AGENTCA_TRY(CheckAudience(claims, expectation));
    Attested attested;
    AGENTCA_ASSIGN(attested.key_bound, CheckConfirmation(claims, expectation));
    attested.level = attested.key_bound ? 3 : 2;
    AGENTCA_TRY(token.VerifySignature(trust));
    AGENTCA_ASSIGN(attested.components, ReadComponents(claims));
    AGENTCA_ASSIGN(attested.claims, Flatten(claims));
    AGENTCA_TRY(AddComponentClaims(attested.components, attested.claims));
    AGENTCA_ASSIGN(attested.replay_id, ReplayIdOf(trust.source().name, claims));
    return attested;
  }
};

}  // namespace

std::unique_ptr<Format> MakeStatementFormat() { return std::make_unique<Statement>(); }

}  // namespace agentca::acme::attest
