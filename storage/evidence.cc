#include "storage/evidence.h"

#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Attestation;
using acme::AttestationRecord;
using acme::Proof;

// An agent that was admitted by the same rule meanwhile is the one that this evidence would have
// admitted. Any other was registered with demands that nobody has compared with the evidence.
Status GuardAdmission(const ca::Agent& wanted, const Result<ca::Agent>& found) {
  AGENTCA_TRY(GuardAgent(wanted.id, found));
  if (found->admitted_by == wanted.admitted_by) return {};
  return Error{Code::kUnauthorized,
               "the agent " + wanted.id.ToString() + " was registered meanwhile; try again"};
}

Result<ca::Agent> ActiveAgent(Ledger& ledger, const Attestation& attestation, Time now) {
  if (attestation.admit) {
    const ca::Agent& wanted = *attestation.admit;
    auto admitted = ledger.Admit(wanted, {.by = "rule " + wanted.admitted_by, .at = now});
    if (!admitted.ok() && admitted.error().code == Code::kMalformed) {  // its source is gone
      return Error{Code::kUnauthorized, "the agent " + wanted.id.ToString() +
                                            " cannot be admitted: " + admitted.error().detail};
    }
    AGENTCA_TRY(GuardAdmission(wanted, admitted));
    return admitted;
  }
  auto found = ledger.FindAgent(attestation.agent);
  AGENTCA_TRY(GuardAgent(attestation.agent, found));
  return found;
}

bool IsRefusal(const Error& error) {
  return error.code == Code::kBadAttestation || error.code == Code::kUnauthorized;
}

Result<Attestation> KeepOrFind(Ledger& ledger, const acme::Authorization& authorization,
                               const Proof& proof, Time now) {
  const auto& dropped = authorization.attestation;
  if (!dropped) {
    return KeepAttestation(ledger, {authorization.id, authorization.account_id, *proof.attestation},
                           now);
  }
  if (proof.attestation && proof.attestation->evidence_hash != dropped->evidence_hash) {
    return Error{Code::kBadAttestation, "other evidence was dropped before"};
  }
  AGENTCA_TRY(GuardAgent(dropped->agent, ledger.FindAgent(dropped->agent)));
  return *dropped;
}

}  // namespace

Result<Attestation> KeepAttestation(Ledger& ledger, const AttestationRecord& record, Time now) {
  AGENTCA_ASSIGN(const bool used, ledger.IsUsed(record.attestation));
  if (used) return Replayed();
  AGENTCA_ASSIGN(const ca::Agent agent, ActiveAgent(ledger, record.attestation, now));
  AttestationRecord kept = record;
  if (kept.attestation.admit) kept.attestation.agent_version = agent.version;
  kept.attestation.admit.reset();
  AGENTCA_TRY(ledger.Append(kept));
  return std::move(kept.attestation);
}

Status FinishChallenge(Ledger& ledger, acme::Authorization& authorization,
                       const Result<Proof>& outcome, Time now) {
  const bool attested = outcome.ok() && (outcome->attestation || authorization.attestation);
  if (!attested || !AwaitsValidation(authorization)) {
    return SettleAttempt(authorization, outcome, now);
  }
  auto kept = KeepOrFind(ledger, authorization, *outcome, now);
  if (kept.ok()) {
    return SettleAttempt(authorization, Proof{outcome->proven, *std::move(kept)}, now);
  }
  if (!IsRefusal(kept.error())) return kept.error();
  return SettleAttempt(authorization, kept.error(), now);
}

Status RecordDrop(Ledger& ledger, acme::Authorization& authorization,
                  const Attestation& attestation, Time now) {
  AGENTCA_TRY(GuardDrop(authorization, now));
  AGENTCA_ASSIGN(
      authorization.attestation,
      KeepAttestation(ledger, {authorization.id, authorization.account_id, attestation}, now));
  return {};
}

Status SpendGrant(Ledger& ledger, Result<acme::Grant>& found, Time now) {
  if (!found.ok()) {
    if (found.error().code != Code::kNotFound) return found.error();
    return Error{Code::kUnauthorized, found.error().detail};
  }
  if (found->mac_key.empty()) return Error{Code::kUnauthorized, "the grant was used before"};
  if (now >= found->expires_at) return Error{Code::kUnauthorized, "the grant expired"};
  const ca::AgentId& agent = found->attestation.agent;
  AGENTCA_TRY(GuardAgent(agent, ledger.FindAgent(agent)));
  found->mac_key.clear();
  return {};
}

Status GuardDecision(Ledger& ledger, const acme::Approval& decided) {
  if (decided.decision != acme::Decision::kGranted) return {};
  return GuardAgent(decided.agent, ledger.FindAgent(decided.agent));
}

Status CheckGuard(Ledger& ledger, const acme::OrderView& view, const acme::FinalizeGuard& guard) {
  if (!guard.agent) return {};
  const auto agent = ledger.FindAgent(*guard.agent);
  AGENTCA_TRY(GuardAgent(*guard.agent, agent));
  return GuardEvidence(view, guard, *agent);
}

}  // namespace agentca::storage
