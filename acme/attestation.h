// Where evidence meets registration and policy: the one place that says what an agent has proven.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/agents.h"
#include "acme/model.h"
#include "ca/audit.h"

namespace agentca::acme {

// Thread-safe; keeps nothing. Reads registry and trust, writes nothing.
class Attestor {
 public:
  explicit Attestor(const Agents& agents) : agents_(agents) {}  // outlives this

  // May there be an order for this name? kRejectedIdentifier: no agent has it, and no rule could
  // admit one; kUnauthorized: the agent is suspended or retired.
  Status CheckOrderable(const ca::AgentId& id) const;

  // With what the agent may answer; a hint for its hook. Formats of the sources that may speak for
  // it; all that this CA reads when the registry is away.
  struct Offer {
    std::vector<std::string> formats;
    bool key_binding = false;  // its class demands evidence over the certificate's key
  };
  Offer OfferFor(const ca::AgentId& id, Time now) const;

  // Is it of its format at all? kMalformed says why not; whether it proves anything is not asked,
  // and no key is looked for. kUnavailable: the registry is away.
  Status CheckForm(const ca::AgentId& id, const attest::EvidenceStatement& statement,
                   Time now) const;

  // The whole judgement: source, signature and freshness (the format's), what the source requires,
  // the agent's rules or those of admission, class, possession of the key. `expectation.key` is set
  // here. Errors: kMalformed; kBadAttestation with cause and detail; kUnauthorized: policy, or the
  // agent is not active; kRejectedIdentifier: nobody has or gets this name; kUnavailable: registry
  // or the keys of an issuer are out of reach. Refusals are logged with the agent's name.
  Result<Attestation> Attest(const ca::AgentId& id, attest::Expectation expectation,
                             const attest::EvidenceStatement& statement) const;

  // Would the agent, as it is registered now, be proven by this under the policy of today? For what
  // was attested earlier: kUnauthorized says why not.
  Status Recheck(const ca::Agent& agent, const Attestation& attestation, Time now) const;

 private:
  struct Subject {
    std::optional<ca::Agent> agent;
    std::vector<ca::AdmissionRule> rules;  // without an agent: those that might admit it
  };
  using Trusts = std::vector<std::shared_ptr<const attest::Trust>>;
  Result<Subject> SubjectOf(const ca::AgentId& id) const;
  Result<Trusts> TrustsFor(const ca::AgentId& id, const Subject& subject, Time now) const;
  Result<Attestation> Judge(const ca::AgentId& id, const attest::Expectation& expectation,
                            const attest::EvidenceStatement& statement) const;
  Result<Attestation> JudgeBy(const attest::Format& format, const attest::Trust& trust,
                              const ca::AgentId& id, const Subject& subject,
                              const attest::Expectation& expectation,
                              const attest::EvidenceStatement& statement) const;
  Status CheckPolicy(const ca::Agent& agent, int level, bool key_bound, bool fresh) const;
  Status CheckBearerAge(const attest::Attested& attested, Time now) const;
  Result<const attest::Format*> Find(std::string_view name) const;

  const Agents& agents_;
};

// "evidence-verified": the line of the audit log about an attestation. `subject`: what it was for,
// an authorization or a grant.
Status AuditAttestation(ca::ChainedLog& audit, const Attestation& attestation,
                        std::string_view subject, Time now);

}  // namespace agentca::acme
