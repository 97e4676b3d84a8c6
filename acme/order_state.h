// The state machines of RFC 8555 §7.1.6, as pure functions of what is stored.
//
//   Order                                          Authorization
//
//   CreateOrder ──► pending ──────────────┐        pending ──challenge failed──► invalid
//                     │ every authz valid │           │  │
//                     ▼                   │           │  └──expiry / DeactivateAuthorization
//                   ready ────────────────┤           ▼            (expired, deactivated)
//                     │ BeginFinalize     │         valid ──expiry──► expired
//                     ▼  (exactly once)   │           │
//                 processing ─────────────┤           └──DeactivateAuthorization──► deactivated
//                     │ CompleteOrder     │ an authz not pending nor valid, expiry,
//                     ▼                   ▼ cancelled, FinishOrder(error)
//                   valid              invalid
//
//   Challenge: pending ──BeginChallenge──► processing ──FinishChallenge──► valid | invalid
//
//   Approval:  AskApproval ──► waiting ──DecideApproval──► granted | denied
//              The order is processing throughout. Granted, it takes its intent (BeginApproved)
//              and goes on as others do; otherwise FinishOrder ends it.
//
// Invariants that the stores enforce (tests/contract/acme_store_contract.h names each):
//   1. BeginFinalize succeeds at most once per order, and only when StatusOf says ready and the
//      account is valid, both read in the transaction that writes; so does AskApproval, and never
//      both. BeginFinalize records the intent of the certificate with it, or does neither.
//   2. CompleteOrder and FinishOrder change an order that is processing, once; a finished order
//      never changes. CompleteOrder records the certificate with it, or does neither.
//   3. BeginChallenge starts at most one challenge of an authorization; a repeat of the same one
//      while it is processing or settled changes nothing and reports what is there.
//   4. FinishChallenge changes an attempt that is processing, once.
//   5. An order that is finalizing does not expire: it settles.
//   6. DecideApproval decides once, and only while the order is processing.
//   7. Evidence is used once: its hash and its replay id belong to one authorization or one grant.
//   8. A grant makes one account.
//   9. What rests on evidence of an agent (drop, challenge, grant, account of a grant, finalize,
//      approval, its intent, certificate) comes to pass only while the agent is active, read in the same
//      transaction.
//   10. An order that was approved takes one intent, while it is processing, whatever becomes of it.
#pragma once

#include <span>

#include "acme/model.h"

namespace agentca::acme {

enum class OrderStatus : uint8_t { kPending, kReady, kProcessing, kValid, kInvalid };
enum class AuthorizationStatus : uint8_t { kPending, kValid, kInvalid, kDeactivated, kExpired, kRevoked };
enum class ChallengeStatus : uint8_t { kPending, kProcessing, kValid, kInvalid };

OrderStatus StatusOf(const Order&, std::span<const Authorization>, Time now);
AuthorizationStatus StatusOf(const Authorization&, Time now);
ChallengeStatus StatusOf(const Authorization&, ChallengeType);
// §7.1.3: why an invalid order is invalid: its own error, that of its first failed authorization, or
// a sentence about expiry, deactivation or cancellation. Empty for other states.
std::optional<Error> ErrorOf(const Order&, std::span<const Authorization>, Time now);

std::string_view ToString(OrderStatus);
std::string_view ToString(AuthorizationStatus);
std::string_view ToString(ChallengeStatus);

}  // namespace agentca::acme
