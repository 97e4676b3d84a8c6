// The guards of both stores, decided on values: every backend reads, asks here, and writes what
// came out, all inside one of its transactions. See the machines drawn in acme/order_state.h.
#pragma once

#include "acme/model.h"
#include "acme/order_state.h"
#include "acme/store.h"
#include "acme/verifier.h"
#include "ca/agent.h"
#include "ca/certificate_store.h"

namespace agentca::storage {

// Each changes its first argument as the verb of the same purpose demands, or leaves it alone and
// says why not. Those that return bool say whether anything changed.
Result<bool> StartAttempt(acme::Authorization& authorization, acme::ChallengeType type,
                          std::string_view payload, Time now);
Status NoteRetry(acme::Authorization& authorization, const Error& error);
Status SettleAttempt(acme::Authorization& authorization, const Result<acme::Proof>& outcome,
                     Time now);
Result<bool> Deactivate(acme::Authorization& authorization, Time now);
Status StartFinalizing(acme::OrderView& view, acme::AccountStatus account, Time now);
Status SettleOrder(acme::Order& order, const Result<ca::Serial>& outcome);
Status Decide(acme::Order& order, acme::Decision decision, const std::string& by,
              const std::string& reason, Time now);

bool AwaitsValidation(const acme::Authorization& authorization);
bool AwaitsSettlement(const acme::Order& order);
// Processing, but nobody has anything to do before a human has decided or time is up.
bool AwaitsHuman(const acme::Order& order, Time now);
// Of shared documents, by their versions.
Status GuardReplacement(int64_t present, int64_t replaces, int64_t next);
// An order's identifier without "*.", and whether it had one: what an authorization is for.
struct Scope {
  acme::Identifier base;
  bool wildcard;
};
Scope ScopeOf(const acme::Identifier& ordered);

// May evidence be dropped for it now?
Status GuardDrop(const acme::Authorization& authorization, Time now);
Status GuardAccountChange(acme::AccountStatus status);
Status GuardKeyChange(const acme::Account& account, std::string_view old_thumbprint);

// Of the agent as it is registered now. `found` may be kNotFound; other errors pass.
Status GuardAgent(const ca::AgentId& id, const Result<ca::Agent>& found);
// May an order that was approved take this intent now, as far as the order tells?
Status GuardApproved(const acme::Order& order, acme::AccountStatus account,
                     const ca::Ticket& ticket, Time now);
// What a guard of finalize demands of the evidence in the order, besides its agent.
Status GuardEvidence(const acme::OrderView& view, const acme::FinalizeGuard& guard,
                     const ca::Agent& agent);

// The guards of ca::CertificateStore. An abandoned serial may be abandoned again, without effect.
Status GuardRecording(ca::SerialState state);
Result<bool> GuardAbandoning(ca::SerialState state);
Status GuardRevoking(ca::SerialState state, bool revoked);
bool IsValidAt(ca::SerialState state, bool revoked, Time not_after, Time now);

// The refusals that every backend words alike.
Error NoSuchAccount();
Error NoSuchOrder();
Error NoSuchAuthorization();
Error NoSuchGrant();
Error NoSuchApproval();
Error BegunBefore();
Error TakenUp();
Error Replayed();
Error KeyInUse(const acme::AccountId& holder);
Error IdInUse();
Error CertificateInUse();
Error UnknownCursor();
Error NoSuchCertificate();
Error NoSuchDocument();
Error SerialReused();
Error KeyCompromised();

}  // namespace agentca::storage
