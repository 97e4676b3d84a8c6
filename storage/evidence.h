// Single use of evidence, the same for both stores: what it takes to keep an attestation, and what
// becomes of a proof that rests on one.
#pragma once

#include "acme/store.h"
#include "ca/agent_registry.h"

namespace agentca::storage {

// What a transaction sees of agents and of the evidence that was used. Lives within it.
class Ledger {
 public:
  virtual ~Ledger() = default;
  // Is there an attestation with this evidence_hash or replay_id?
  virtual Result<bool> IsUsed(const acme::Attestation& attestation) = 0;
  virtual Result<ca::Agent> FindAgent(const ca::AgentId& id) = 0;
  // As ca::AgentRegistry::AdmitAgent; a failure changes nothing.
  virtual Result<ca::Agent> Admit(const ca::Agent& agent, const ca::Change& change) = 0;
  virtual Status Append(const acme::AttestationRecord& record) = 0;
};

// Admits the agent where the attestation says so, and keeps the attestation. Returns it as kept:
// without `admit`, with the version of the agent that was admitted. kBadAttestation: it was used
// before; kUnauthorized: the agent is not active, or was registered otherwise since the evidence
// was judged. Nothing is changed then.
Result<acme::Attestation> KeepAttestation(Ledger& ledger, const acme::AttestationRecord& record,
                                          Time now);

// The verbs of acme::Store of these names, on an authorization that is written back upon success.
// FinishChallenge: a proof that rests on evidence (its own, or what lies at the drop already, never
// two different ones) fails with the refusal of KeepAttestation.
Status FinishChallenge(Ledger& ledger, acme::Authorization& authorization,
                       const Result<acme::Proof>& outcome, Time now);
Status RecordDrop(Ledger& ledger, acme::Authorization& authorization,
                  const acme::Attestation& attestation, Time now);
// Spends a grant: `found` is NoSuchGrant's error or the grant, whose mac_key is then gone. Every
// refusal is kUnauthorized: none, spent, expired, the agent is not active.
Status SpendGrant(Ledger& ledger, Result<acme::Grant>& found, Time now);
// What is granted must be for an agent that is active.
Status GuardDecision(Ledger& ledger, const acme::Approval& decided);
// The part of BeginFinalize, AskApproval and BeginApproved that is about agents.
Status CheckGuard(Ledger& ledger, const acme::OrderView& view, const acme::FinalizeGuard& guard);

}  // namespace agentca::storage
