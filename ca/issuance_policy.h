// Class of agent → what it must prove and what it gets. The table of the operator
// (policy.json, read elsewhere), validated once, then a value that cannot be wrong.
#pragma once

#include <array>

#include "ca/agent.h"

namespace agentca::ca {

// L1 bearer, L2 fresh, L3 also bound to the certificate key, L4 hardware-rooted and key-bound.
inline constexpr int kMinLevel = 1;
inline constexpr int kMaxLevel = 4;

// One row of the table.
struct PolicyRow {
  int level = kMaxLevel;               // least level of evidence
  bool approval = true;                // a human must agree to each order
  std::array<Seconds, 3> lifetimes{};  // by Lifespan
  // How long after a grant was made new orders start with valid authorizations; 0: never.
  Seconds grant_reuse{0};
  // From L3 on the certificate must carry the attested key.
  bool key_binding() const { return level >= 3; }
};

struct RawPolicy {
  PolicyRow low, medium, high;       // by the greatest of access, decision, risk
  PolicyRow several_high;            // two or more of them are high
  PolicyRow annual_hsm;              // agents of the profile "annual-hsm"
  Seconds fixed_audience_age{300};   // L1 tokens: greatest age of `iat`
  Seconds evidence_age{600};         // from verification to finalize
  bool allow_fixed_audience = true;  // L1 at all
};
RawPolicy DefaultPolicy();  // the table of agent-attest-01

// Immutable.
class IssuancePolicy {
 public:
  // kMalformed names row and cell as policy.json has them ("high.lifetime.session: …"): levels out
  // of range, lifetimes of zero or longer than 398 days, a stronger row with weaker demands than a
  // weaker one, grants for rows that need approval. "annual_hsm" is as strong in evidence as
  // "several_high"; its lifetimes and its approval are its own.
  static Result<IssuancePolicy> Make(const RawPolicy& raw);
  const RawPolicy& raw() const { return raw_; }
  // A profile takes no human out: when the class needs approval, so does the row of annual-hsm.
  // Profiles unknown here get the row of their class.
  const PolicyRow& RowFor(const AgentClass& agent_class, std::string_view profile) const;
  Seconds LifetimeFor(const AgentClass& agent_class, std::string_view profile) const;

 private:
  explicit IssuancePolicy(const RawPolicy& raw);
  RawPolicy raw_;
  PolicyRow annual_hsm_approved_;  // raw_.annual_hsm with approval
};

}  // namespace agentca::ca
