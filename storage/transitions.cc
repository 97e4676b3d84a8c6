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
Error IdInUse() { return {Code::kConflict, "an object with this id exists"}; }
Error CertificateInUse() { return {Code::kConflict, "the certificate belongs to another order"}; }
Error UnknownCursor() { return {Code::kMalformed, "no such page"}; }
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

Result<bool> StartAttempt(Authorization& authorization, ChallengeType type, Time now) {
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
  if (outcome.ok()) {
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
      return true;
    case AuthorizationStatus::kInvalid:
    case AuthorizationStatus::kExpired:
    case AuthorizationStatus::kRevoked:
      break;
  }
  return Error{Code::kConflict, "the authorization is neither pending nor valid"};
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

Status SettleOrder(Order& order, const Result<ca::Serial>& outcome) {
  if (!AwaitsSettlement(order)) return Error{Code::kConflict, "the order is not processing"};
  if (outcome.ok()) {
    order.certificate = *outcome;
  } else {
    order.error = outcome.error();
  }
  return {};
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
