// `jwt-svid`: a SPIFFE JWT-SVID, as the SPIFFE Workload API hands it out. A JWT with the
// restrictions of the SPIFFE standard "The JWT SPIFFE Verifiable Identity Document".
//
//   aud  TokenAudience with the certificate's key (level 3) or without (level 2)
//   sub  a SPIFFE ID of the source's trust domain (its `issuer`)
//   exp  required; nbf, iat are checked when there
//
// Of the standard's algorithms we take RS256, ES256 and ES384. `iss` has no meaning there.
#include <algorithm>
#include <array>

#include "acme/attest/token.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kName = "jwt-svid";
constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMaxSpiffeId = 2048;  // SPIFFE-ID §2.3
constexpr size_t kMaxTrustDomain = 255;

bool Consists(std::string_view text, std::string_view extra, bool upper_case) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (upper_case && c >= 'A' && c <= 'Z') || extra.find(c) != std::string_view::npos;
  });
}

// SPIFFE-ID §2.2: segments of letters, digits, ".", "-", "_"; none empty, "." or "..".
bool IsPath(std::string_view path) {
  while (!path.empty()) {
    if (path.front() != '/') return false;
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (!Consists(segment, ".-_", true)) return false;
    path.remove_prefix(segment.size());
  }
  return true;
}

// The trust domain of the SPIFFE ID of a workload; "" for everything else.
std::string_view TrustDomainOf(std::string_view id) {
  if (id.size() > kMaxSpiffeId || !id.starts_with(kScheme)) return {};
  id.remove_prefix(kScheme.size());
  const size_t slash = id.find('/');
  if (slash == std::string_view::npos) return {};  // the trust domain itself, no workload
  const std::string_view domain = id.substr(0, slash);
  if (domain.size() > kMaxTrustDomain || !Consists(domain, ".-_", false)) return {};
  return IsPath(id.substr(slash)) ? domain : std::string_view();
}

// "" : there is none, or it is not that of a workload.
std::string_view TrustDomainOf(const JsonValue& claims) {
  const auto subject = claims.Find("sub");
  return TrustDomainOf(subject ? subject->AsString().value_or("") : std::string_view());
}

// §2: "Any header not described here, registered or private, MUST NOT be included".
Status CheckHeader(const CompactJws& jws) {
  constexpr std::array<std::string_view, 3> kDescribed{"alg", "kid", "typ"};
  for (const std::string& name : jws.parameters) {
    if (std::find(kDescribed.begin(), kDescribed.end(), name) == kDescribed.end()) {
      return Error{Code::kMalformed,
                   "a JWT-SVID must not have the header parameter " + Quoted(name)};
    }
  }
  if (!jws.type.empty() && jws.type != "JWT" && jws.type != "JOSE") {  // §2.3
    return Error{Code::kMalformed, "the \"typ\" of a JWT-SVID is JWT or JOSE"};
  }
  if (jws.algorithm == ca::SignatureAlgorithm::kEd25519) {  // §2.1
    return BadAttestation(cause::kBadSignature, "a JWT-SVID is never signed with EdDSA");
  }
  return {};
}

class JwtSvid final : public Format {
 public:
  std::string_view name() const override { return kName; }

  std::vector<std::string> Candidates(
      const EvidenceStatement& statement,
      const std::vector<ca::EvidenceSource>& sources) const override {
    return CandidatesFor(kName, statement, sources, [](const auto& claims, const auto& source) {
      const std::string_view domain = TrustDomainOf(claims);
      return domain.empty() || domain == source.issuer;  // Verify says what is wrong with ""
    });
  }

  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_ASSIGN(const Token token, Token::Parse(statement.evidence));
    AGENTCA_TRY(CheckHeader(token.jws()));
    const JsonValue claims = token.claims();
    const std::string_view domain = TrustDomainOf(claims);
    if (domain.empty()) {
      return Error{Code::kMalformed, "claim \"sub\" is no SPIFFE ID of a workload"};
    }
    if (domain != trust.source().issuer) {
      return BadAttestation(cause::kWrongIssuer, "claim \"sub\" is not of the trust domain " +
                                                     Quoted(trust.source().issuer));
    }
    AGENTCA_TRY(CheckTimes(claims, expectation.now));
    AGENTCA_ASSIGN(const auto audiences, Audiences(claims));
    AGENTCA_ASSIGN(const Binding binding, MatchAudience(audiences, expectation));
    AGENTCA_TRY(token.VerifySignature(trust));
    Attested attested;
    attested.key_bound = binding == Binding::kNonceAndKey;
    attested.level = attested.key_bound ? 3 : 2;
    AGENTCA_ASSIGN(attested.claims, Flatten(claims));
    AGENTCA_ASSIGN(attested.replay_id, ReplayIdOf(trust.source().issuer, claims));
    return attested;
  }
};

}  // namespace

std::unique_ptr<Format> MakeJwtSvidFormat() { return std::make_unique<JwtSvid>(); }

}  // namespace agentca::acme::attest
