// acme::Store in SQL. Accounts, orders and authorizations each have a .cc of their own.
#pragma once

#include "acme/store.h"
#include "storage/sql.h"

namespace agentca::storage {

class SqlAcmeStore final : public acme::Store {
 public:
  // `process`: what begins here is the work of.
  SqlAcmeStore(Database& database, const std::string& process)
      : database_(database), process_(process) {}

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

  Status CheckHealth() override { return database_.CheckHealth(); }

 private:
  Database& database_;
  const std::string process_;
};

}  // namespace agentca::storage
