// `jwt`: a token of any OIDC issuer about its workload (Kubernetes TokenRequest, GitHub Actions,
// GCP, AWS …), RFC 7519, signed as RFC 7515 says. Who it is about, its claims say.
//
//   aud  TokenAudience with the certificate's key (level 3) or without (level 2). The source's
//        fixed audience: level 1, with `jti` and an `iat` at most five minutes old.
//   iss  exactly the source's issuer
//   exp  required; nbf, iat are checked when there
#include <algorithm>

#include "acme/attest/token.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kName = "jwt";
constexpr Seconds kMaxFixedAge{300};

bool IsFrom(const JsonValue& claims, const ca::EvidenceSource& source) {
  const auto issuer = claims.Find("iss");
  return !source.issuer.empty() && issuer && issuer->AsString() == source.issuer;
}

// A token for a fixed audience says nothing of us: only its age and `jti` limit its replay.
Status CheckBearer(const JsonValue& claims, Time now) {
  AGENTCA_ASSIGN(const auto id, claims.OptionalString("jti"));
  AGENTCA_ASSIGN(const auto issued, DateClaim(claims, "iat"));
  if (!id || id->empty() || !issued) {
    return Error{Code::kMalformed,
                 "a token for a fixed audience must have the claims \"jti\" and \"iat\""};
  }
  if (*issued + kMaxFixedAge < now) {
    return BadAttestation(cause::kExpired,
                          "a token for a fixed audience counts for five minutes; "
                          "this one was made at " +
                              ToRfc3339(*issued));
  }
  return {};
}

// 1 to 3.
Result<int> LevelOf(const JsonValue& claims, const ca::EvidenceSource& source,
                    const Expectation& expectation) {
  AGENTCA_ASSIGN(const auto audiences, Audiences(claims));
  const auto binding = MatchAudience(audiences, expectation);
  if (binding.ok()) return *binding == Binding::kNonceAndKey ? 3 : 2;
  if (source.fixed_audience.empty() ||
      std::find(audiences.begin(), audiences.end(), source.fixed_audience) == audiences.end()) {
    return binding.error();
  }
  AGENTCA_TRY(CheckBearer(claims, expectation.now));
  return 1;
}

class Jwt final : public Format {
 public:
  std::string_view name() const override { return kName; }

  std::vector<std::string> Candidates(
      const EvidenceStatement& statement,
      const std::vector<ca::EvidenceSource>& sources) const override {
    return CandidatesFor(kName, statement, sources, IsFrom);
  }

  // What costs nothing is checked first: nobody makes us fetch keys with a token that cannot count.
  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_ASSIGN(const Token token, Token::Parse(statement.evidence));
    const JsonValue claims = token.claims();
    if (!IsFrom(claims, trust.source())) {
      return BadAttestation(cause::kWrongIssuer,
                            "claim \"iss\" is not " + Quoted(trust.source().issuer) +
                                ", the issuer of source " + Quoted(trust.source().name));
    }
    AGENTCA_TRY(CheckTimes(claims, expectation.now));
    Attested attested;
    AGENTCA_ASSIGN(attested.level, LevelOf(claims, trust.source(), expectation));
    attested.key_bound = attested.level == 3;
    AGENTCA_TRY(token.VerifySignature(trust));
    AGENTCA_ASSIGN(attested.claims, Flatten(claims));
    AGENTCA_ASSIGN(attested.replay_id, ReplayIdOf(trust.source().issuer, claims));
    return attested;
  }
};

}  // namespace

std::unique_ptr<Format> MakeJwtFormat() { return std::make_unique<Jwt>(); }

}  // namespace agentca::acme::attest
