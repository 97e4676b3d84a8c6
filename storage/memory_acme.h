// acme::Store in memory.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "acme/store.h"
#include "ca/certificate_store.h"
#include "storage/evidence.h"
#include "storage/memory_agents.h"

namespace agentca::storage {

// Holds the registry still while it lives.
class MemoryLedger final : public Ledger {
 public:
  MemoryLedger(std::vector<acme::AttestationRecord>& attestations, MemoryAgents& agents)
      : attestations_(attestations), agents_(agents.Hold()) {}
  Result<bool> IsUsed(const acme::Attestation& attestation) override;
  Result<ca::Agent> FindAgent(const ca::AgentId& id) override;
  Result<ca::Agent> Admit(const ca::Agent& agent, const ca::Change& change) override;
  Status Append(const acme::AttestationRecord& record) override;

 private:
  std::vector<acme::AttestationRecord>& attestations_;
  MemoryAgents::Held agents_;
};

// Calls registry and certificate store with its own lock held, never the other way round.
class MemoryAcmeStore final : public acme::Store {
 public:
  MemoryAcmeStore(MemoryAgents& agents, ca::CertificateStore& certificates)
      : agents_(agents), certificates_(certificates) {}
  Result<acme::AccountCreation> CreateAccount(const acme::NewAccount& request) override;
  Result<acme::Account> FindAccount(const acme::AccountId& id) override;
  Result<acme::Account> FindAccountByThumbprint(std::string_view thumbprint) override;
  Result<acme::Account> UpdateContacts(const acme::AccountId& id,
                                       const std::vector<std::string>& contacts) override;
  Result<acme::Account> AgreeToTerms(const acme::AccountId& id,
                                     std::string_view terms_url) override;
  Status DeactivateAccount(const acme::AccountId& id) override;
  Status ChangeKey(const acme::AccountId& id, std::string_view old_thumbprint,
                   const ca::PublicKey& new_key, std::string_view new_thumbprint) override;

  Result<acme::OrderView> CreateOrder(const acme::NewOrder& request) override;
  Result<acme::OrderView> FindOrder(const acme::OrderId& id) override;
  Result<acme::OrderPage> ListOrders(const acme::AccountId& id, std::string_view after,
                                     size_t limit, Time now) override;
  Result<acme::OrderView> FindOrderByCertificate(const ca::Serial& serial) override;
  Status BeginFinalize(const acme::OrderId& id, const ca::Ticket& ticket,
                       const acme::FinalizeGuard& guard, Time now) override;
  Status AskApproval(const acme::OrderId& id, const acme::Approval& approval,
                     const acme::FinalizeGuard& guard, Time now) override;
  Status BeginApproved(const acme::OrderId& id, const ca::Ticket& ticket,
                       const acme::FinalizeGuard& guard, Time now) override;
  Status CompleteOrder(const acme::OrderId& id, const ca::Certificate& certificate,
                       const ca::IssuerId& issuer,
                       const std::optional<ca::AgentId>& agent) override;
  Status FinishOrder(const acme::OrderId& id, const Result<ca::Serial>& outcome) override;
  Status DecideApproval(const acme::OrderId& id, acme::Decision decision, const std::string& by,
                        const std::string& reason, Time now) override;
  Result<std::vector<acme::ApprovalRecord>> ListApprovals(bool all, std::string_view after,
                                                          size_t limit) override;
  Result<std::vector<acme::OrderId>> ClaimOrders(ca::WorkScope scope, Time now,
                                                 size_t limit) override;

  Result<acme::Authorization> FindAuthorization(const acme::AuthorizationId& id) override;
  Result<Started> BeginChallenge(const acme::AuthorizationId& id, acme::ChallengeType type,
                                 std::string_view payload, Time now) override;
  Status RecordRetry(const acme::AuthorizationId& id, const Error& error) override;
  Status FinishChallenge(const acme::AuthorizationId& id, const Result<acme::Proof>& outcome,
                         Time now) override;
  Result<acme::PendingValidation> FindByDropKey(const acme::Identifier& identifier,
                                                const Sha256Digest& nonce) override;
  Status RecordDrop(const acme::AuthorizationId& id, const acme::Attestation& attestation,
                    Time now) override;
  Result<std::vector<acme::AttestationRecord>> ListAttestations(
      const acme::AttestationFilter& filter) override;
  Status RecordGrant(const acme::Grant& grant) override;
  Result<acme::Grant> FindGrant(std::string_view key_id) override;
  Result<acme::Authorization> DeactivateAuthorization(const acme::AuthorizationId& id,
                                                      Time now) override;
  Result<std::vector<acme::PendingValidation>> ClaimChallenges(ca::WorkScope scope,
                                                               size_t limit) override;
  Result<bool> HoldsAuthorizations(const acme::AccountId& id,
                                   const std::vector<acme::Identifier>& identifiers,
                                   Time now) override;

  Status CheckHealth() override { return {}; }

 private:
  struct OrderRow {
    acme::Order order;
    std::vector<acme::AuthorizationId> authorizations;
    bool ours = false;  // while it is processing: this process's work, not nobody's
  };
  // All of these are called with mutex_ held. Pointers are null when there is none.
  acme::Account* AccountWithKey(std::string_view thumbprint);
  Result<acme::Account*> ValidAccount(const acme::AccountId& id);
  acme::OrderView View(const OrderRow& row) const;
  bool Holds(const acme::AccountId& id, const acme::Identifier& identifier, Time now) const;
  Result<acme::Grant> GrantOf(std::string_view key_id) const;
  Status SpendGrantOn(const acme::Account& account);

  bool IsInUse(const ca::Serial& serial) const;
  Result<bool> HasHadIntent(const acme::OrderId& id);
  // ready → processing, and its guard; `begin` is what must come about with it.
  Status Start(const acme::OrderId& id, const acme::FinalizeGuard& guard, Time now,
               const std::function<Status(OrderRow&)>& begin);

  MemoryAgents& agents_;
  ca::CertificateStore& certificates_;
  std::mutex mutex_;  // guards everything below
  std::map<acme::AccountId, acme::Account> accounts_;
  std::map<acme::OrderId, OrderRow> orders_;
  std::map<acme::AuthorizationId, acme::Authorization> authorizations_;
  std::vector<acme::AttestationRecord> attestations_;  // oldest first
  std::map<std::string, acme::Grant, std::less<>> grants_;
};

}  // namespace agentca::storage
