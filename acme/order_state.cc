#include "acme/order_state.h"

#include <algorithm>

namespace agentca::acme {
namespace {

bool IsPendingOrValid(AuthorizationStatus status) {
  return status == AuthorizationStatus::kPending || status == AuthorizationStatus::kValid;
}

std::string SubjectOf(const Authorization& authorization) {
  return std::string(ToString(authorization.identifier.type)) + ":" +
         (authorization.wildcard ? "*." : "") + authorization.identifier.value;
}

Error ErrorOf(const Authorization& authorization, AuthorizationStatus status) {
  const std::string subject = SubjectOf(authorization);
  if (status == AuthorizationStatus::kInvalid && authorization.attempt &&
      authorization.attempt->error) {
    Error error = *authorization.attempt->error;
    if (error.code != Code::kInternal) error.detail = subject + ": " + error.detail;
    return error;
  }
  return {Code::kUnauthorized,
          "the authorization for " + subject + " is " + std::string(ToString(status)), subject};
}

}  // namespace

OrderStatus StatusOf(const Order& order, std::span<const Authorization> authorizations, Time now) {
  if (order.certificate) return OrderStatus::kValid;
  if (order.error) return OrderStatus::kInvalid;
  if (order.finalizing) return OrderStatus::kProcessing;
  if (order.cancelled || now >= order.expires_at) return OrderStatus::kInvalid;

  bool all_valid = !authorizations.empty();
  for (const Authorization& authorization : authorizations) {
    const AuthorizationStatus status = StatusOf(authorization, now);
    if (!IsPendingOrValid(status)) return OrderStatus::kInvalid;
    all_valid = all_valid && status == AuthorizationStatus::kValid;
  }
  return all_valid ? OrderStatus::kReady : OrderStatus::kPending;
}

AuthorizationStatus StatusOf(const Authorization& authorization, Time now) {
  if (authorization.deactivated) return AuthorizationStatus::kDeactivated;
  if (authorization.attempt && authorization.attempt->state == AttemptState::kInvalid) {
    return AuthorizationStatus::kInvalid;
  }
  if (now >= authorization.expires_at) return AuthorizationStatus::kExpired;
  if (authorization.attempt && authorization.attempt->state == AttemptState::kValid) {
    return AuthorizationStatus::kValid;
  }
  return AuthorizationStatus::kPending;
}

ChallengeStatus StatusOf(const Authorization& authorization, ChallengeType type) {
  if (!authorization.attempt || authorization.attempt->type != type) {
    return ChallengeStatus::kPending;
  }
  switch (authorization.attempt->state) {
    case AttemptState::kProcessing:
      return ChallengeStatus::kProcessing;
    case AttemptState::kValid:
      return ChallengeStatus::kValid;
    case AttemptState::kInvalid:
      return ChallengeStatus::kInvalid;
  }
  return ChallengeStatus::kPending;
}

std::optional<Error> ErrorOf(const Order& order, std::span<const Authorization> authorizations,
                             Time now) {
  if (StatusOf(order, authorizations, now) != OrderStatus::kInvalid) return std::nullopt;
  if (order.error) return order.error;
  if (order.cancelled) return Error{Code::kUnauthorized, "the account was deactivated"};
  for (const Authorization& authorization : authorizations) {
    const AuthorizationStatus status = StatusOf(authorization, now);
    if (!IsPendingOrValid(status) && status != AuthorizationStatus::kExpired) {
      return ErrorOf(authorization, status);
    }
  }
  if (now >= order.expires_at) return Error{Code::kUnauthorized, "the order expired"};
  for (const Authorization& authorization : authorizations) {
    const AuthorizationStatus status = StatusOf(authorization, now);
    if (!IsPendingOrValid(status)) return ErrorOf(authorization, status);
  }
  return std::nullopt;
}

std::string_view ToString(OrderStatus status) {
  switch (status) {
    case OrderStatus::kPending:
      return "pending";
    case OrderStatus::kReady:
      return "ready";
    case OrderStatus::kProcessing:
      return "processing";
    case OrderStatus::kValid:
      return "valid";
    case OrderStatus::kInvalid:
      return "invalid";
  }
  return "";
}

std::string_view ToString(AuthorizationStatus status) {
  switch (status) {
    case AuthorizationStatus::kPending:
      return "pending";
    case AuthorizationStatus::kValid:
      return "valid";
    case AuthorizationStatus::kInvalid:
      return "invalid";
    case AuthorizationStatus::kDeactivated:
      return "deactivated";
    case AuthorizationStatus::kExpired:
      return "expired";
    case AuthorizationStatus::kRevoked:
      return "revoked";
  }
  return "";
}

std::string_view ToString(ChallengeStatus status) {
  switch (status) {
    case ChallengeStatus::kPending:
      return "pending";
    case ChallengeStatus::kProcessing:
      return "processing";
    case ChallengeStatus::kValid:
      return "valid";
    case ChallengeStatus::kInvalid:
      return "invalid";
  }
  return "";
}

}  // namespace agentca::acme
