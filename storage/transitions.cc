#include "storage/transitions.h"

#include <algorithm>

namespace agentca::storage {

using acme::AttemptState;
using acme::Authorization;
using acme::AuthorizationStatus;
using acme::ChallengeType;
using acme::Order;

Error NoSuchAccount() { return {Code::kNotFound, "no such account"}; }
Error NoSuchOrder() { return {Code::kNotFound, "no such order"}; }
Error NoSuchAuthorization() { return {Code::kNotFound, "no such authorization"}; }
Error NoSuchGrant() { return {Code::kNotFound, "no such grant"}; }
Error NoSuchApproval() { return {Code::kNotFound, "the order asks for no approval"}; }
Error BegunBefore() { return {Code::kOrderNotReady, "the issuance was begun before"}; }
Error TakenUp() { return {Code::kConflict, "another node has taken this up"}; }
Error Replayed() { return {Code::kBadAttestation, "replayed: this evidence was used before"}; }
Error IdInUse() { return {Code::kConflict, "an object with this id exists"}; }
Error CertificateInUse() { return {Code::kConflict, "the certificate belongs to another order"}; }
Error UnknownCursor() { return {Code::kMalformed, "no such page"}; }
Error NoSuchDocument() { return {Code::kNotFound, "no such document"}; }
Error NoSuchCertificate() { return {Code::kNotFound, "no such certificate"}; }
Error KeyCompromised() {
  return {Code::kBadPublicKey, "the public key was compromised: a certificate for it was revoked"};
}
Error SerialReused() { return {Code::kConflict, "the serial number was used before"}; }

Error KeyInUse(const acme::AccountId& holder) {
  return {Code::kAccountKeyInUse, "the key belongs to an account", holder};
}

Status GuardAccountChange(acme::AccountStatus status) {
  if (status == acme::AccountStatus::kValid) return {};
  return Error{Code::kAccountInactive, "the account is not valid"};
}

Status GuardKeyChange(const acme::Account& account, std::string_view old_thumbprint) {
  AGENTCA_TRY(GuardAccountChange(account.status));
  if (account.thumbprint == old_thumbprint) return {};
  return Error{Code::kUnauthorized, "the account has another key"};
}

Result<bool> StartAttempt(Authorization& authorization, ChallengeType type,
                          std::string_view payload, Time now) {
  if (authorization.attempt) {
    if (authorization.attempt->type == type) return false;
    return Error{Code::kConflict, "another challenge of this authorization was chosen"};
  }
  const auto& offered = authorization.offered;
  if (std::find(offered.begin(), offered.end(), type) == offered.end()) {
    return Error{Code::kNotFound, "no such challenge"};
  }
  if (acme::StatusOf(authorization, now) != AuthorizationStatus::kPending) {
    return Error{Code::kConflict, "the authorization is not pending"};
  }
  authorization.attempt = acme::Attempt{.type = type, .error = {}, .validated_at = {}};
  if (type == ChallengeType::kAgentAttest01) authorization.attempt->payload = payload;
  return true;
}

bool AwaitsValidation(const Authorization& authorization) {
  return !authorization.deactivated && authorization.attempt &&
         authorization.attempt->state == AttemptState::kProcessing;
}

static Status GuardAttempt(const Authorization& authorization) {
  if (AwaitsValidation(authorization)) return {};
  return Error{Code::kConflict, "the challenge is not processing"};
}

Status NoteRetry(Authorization& authorization, const Error& error) {
  AGENTCA_TRY(GuardAttempt(authorization));
  authorization.attempt->error = error;
  return {};
}

Status SettleAttempt(Authorization& authorization, const Result<acme::Proof>& outcome, Time now) {
  AGENTCA_TRY(GuardAttempt(authorization));
  acme::Attempt& attempt = *authorization.attempt;
  attempt.payload.clear();
  if (outcome.ok()) {
    if (outcome->attestation) authorization.attestation = outcome->attestation;
    attempt.state = AttemptState::kValid;
    attempt.error.reset();
    attempt.validated_at = now;
  } else {
    attempt.state = AttemptState::kInvalid;
    attempt.error = outcome.error();
  }
  return {};
}

Result<bool> Deactivate(Authorization& authorization, Time now) {
  switch (acme::StatusOf(authorization, now)) {
    case AuthorizationStatus::kDeactivated:
      return false;
    case AuthorizationStatus::kPending:
    case AuthorizationStatus::kValid:
      authorization.deactivated = true;
      if (authorization.attempt) authorization.attempt->payload.clear();
      return true;
    case AuthorizationStatus::kInvalid:
    case AuthorizationStatus::kExpired:
    case AuthorizationStatus::kRevoked:
      break;
  }
  return Error{Code::kConflict, "the authorization is neither pending nor valid"};
}

Status GuardDrop(const Authorization& authorization, Time now) {
  if (authorization.attestation) {
    return Error{Code::kConflict, "evidence was dropped before"};
  }
  if (acme::StatusOf(authorization, now) != AuthorizationStatus::kPending) {
    return Error{Code::kConflict, "the authorization is not pending"};
  }
  return {};
}

Status GuardAgent(const ca::AgentId& id, const Result<ca::Agent>& found) {
  if (!found.ok() && found.error().code == Code::kNotFound) {
    return Error{Code::kUnauthorized, "there is no agent " + id.ToString()};
  }
  if (!found.ok()) return found.error();
  if (found->status == ca::AgentStatus::kActive) return {};
  return Error{Code::kUnauthorized,
               "the agent " + id.ToString() + " is " + std::string(ToString(found->status))};
}

Status GuardEvidence(const acme::OrderView& view, const acme::FinalizeGuard& guard,
                     const ca::Agent& agent) {
  if (agent.version != guard.agent_version) {
    return Error{Code::kUnauthorized,
                 "the registration of " + agent.id.ToString() + " changed; make a new order"};
  }
  for (const Authorization& each : view.authorizations) {
    if (!each.attestation || each.attestation->agent != agent.id) {
      return Error{Code::kUnauthorized, "nothing proves the agent " + agent.id.ToString()};
    }
    if (each.attestation->verified_at <= guard.verified_after) {
      return Error{Code::kUnauthorized, "the evidence is too old; make a new order"};
    }
  }
  return {};
}

Status StartFinalizing(acme::OrderView& view, acme::AccountStatus account, Time now) {
  AGENTCA_TRY(GuardAccountChange(account));
  const acme::OrderStatus status = acme::StatusOf(view.order, view.authorizations, now);
  if (status != acme::OrderStatus::kReady) {
    return Error{Code::kOrderNotReady, "the order is " + std::string(acme::ToString(status))};
  }
  view.order.finalizing = true;
  return {};
}

bool AwaitsSettlement(const Order& order) {
  return order.finalizing && !order.certificate && !order.error;
}

bool AwaitsHuman(const Order& order, Time now) {
  return AwaitsSettlement(order) && order.approval &&
         order.approval->decision == acme::Decision::kWaiting && now < order.expires_at;
}

Status GuardReplacement(int64_t present, int64_t replaces, int64_t next) {
  if (present == replaces && next > present) return {};
  return Error{Code::kConflict, "version " + std::to_string(present) + " of the document is there"};
}

Status SettleOrder(Order& order, const Result<ca::Serial>& outcome) {
  if (!AwaitsSettlement(order)) return Error{Code::kConflict, "the order is not processing"};
  if (outcome.ok()) {
    order.certificate = *outcome;
  } else {
    order.error = outcome.error();
  }
  return {};
}

Status Decide(Order& order, acme::Decision decision, const std::string& by,
              const std::string& reason, Time now) {
  if (!order.approval) return NoSuchApproval();
  if (decision == acme::Decision::kWaiting) {
    return Error{Code::kMalformed, "to wait is no decision"};
  }
  acme::Approval& approval = *order.approval;
  if (approval.decision != acme::Decision::kWaiting) {
    return Error{Code::kConflict, "the approval was " + std::string(ToString(approval.decision)) +
                                      " before, by " + approval.decided_by};
  }
  if (!AwaitsSettlement(order)) return Error{Code::kConflict, "the order is not processing"};
  approval.decision = decision;
  approval.decided_by = by;
  approval.reason = reason;
  approval.decided_at = now;
  return {};
}

Status GuardApproved(const Order& order, acme::AccountStatus account, const ca::Ticket& ticket,
                     Time now) {
  if (ticket.reference() != order.id) {  // or nobody could tell that the order had it
    return Error{Code::kInternal, "storage: the ticket is for another order"};
  }
  AGENTCA_TRY(GuardAccountChange(account));
  const bool granted = order.approval && order.approval->decision == acme::Decision::kGranted;
  if (!granted) return Error{Code::kOrderNotReady, "nobody has agreed to the order"};
  if (!AwaitsSettlement(order)) return Error{Code::kOrderNotReady, "the order is settled"};
  if (now < order.expires_at) return {};
  return Error{Code::kUnauthorized, "the order expired before anybody agreed to it"};
}

Scope ScopeOf(const acme::Identifier& ordered) {
  constexpr std::string_view kWildcard = "*.";
  if (ordered.type != acme::Identifier::Type::kDns || !ordered.value.starts_with(kWildcard)) {
    return {ordered, false};
  }
  return {{ordered.type, ordered.value.substr(kWildcard.size())}, true};
}

Status GuardRecording(ca::SerialState state) {
  if (state == ca::SerialState::kIntent) return {};
  return Error{Code::kConflict, "the serial number is issued or abandoned"};
}

Result<bool> GuardAbandoning(ca::SerialState state) {
  if (state == ca::SerialState::kIssued) {
    return Error{Code::kConflict, "the certificate was issued"};
  }
  return state == ca::SerialState::kIntent;
}

Status GuardRevoking(ca::SerialState state, bool revoked) {
  if (state == ca::SerialState::kIntent) return NoSuchCertificate();
  if (revoked) return Error{Code::kAlreadyRevoked, "the certificate was revoked before"};
  return {};
}

bool IsValidAt(ca::SerialState state, bool revoked, Time not_after, Time now) {
  return state == ca::SerialState::kIssued && !revoked && now <= not_after;
}

}  // namespace agentca::storage
