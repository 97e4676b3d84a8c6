// acme::Store in memory.
#pragma once

#include <map>
#include <mutex>

#include "acme/store.h"
#include "ca/certificate_store.h"

namespace agentca::storage {

// Calls the certificate store with its own lock held, never the other way round.
class MemoryAcmeStore final : public acme::Store {
 public:
  explicit MemoryAcmeStore(ca::CertificateStore& certificates) : certificates_(certificates) {}
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
  Status BeginFinalize(const acme::OrderId& id, const ca::Ticket& ticket, Time now) override;
  Status CompleteOrder(const acme::OrderId& id, const ca::Certificate& certificate,
                       const ca::IssuerId& issuer) override;
  Status FinishOrder(const acme::OrderId& id, const Result<ca::Serial>& outcome) override;
  Result<std::vector<acme::OrderId>> ListProcessingOrders() override;

  Result<acme::Authorization> FindAuthorization(const acme::AuthorizationId& id) override;
  Result<Started> BeginChallenge(const acme::AuthorizationId& id, acme::ChallengeType type,
                                 Time now) override;
  Status RecordRetry(const acme::AuthorizationId& id, const Error& error) override;
  Status FinishChallenge(const acme::AuthorizationId& id, const Result<acme::Proof>& outcome,
                         Time now) override;
  Result<acme::Authorization> DeactivateAuthorization(const acme::AuthorizationId& id,
                                                      Time now) override;
  Result<std::vector<acme::PendingValidation>> ListProcessingChallenges() override;
  Result<bool> HoldsAuthorizations(const acme::AccountId& id,
                                   const std::vector<acme::Identifier>& identifiers,
                                   Time now) override;

  Status CheckHealth() override { return {}; }

 private:
  struct OrderRow {
    acme::Order order;
    std::vector<acme::AuthorizationId> authorizations;
  };
  // All of these are called with mutex_ held. Pointers are null when there is none.
  acme::Account* AccountWithKey(std::string_view thumbprint);
  Result<acme::Account*> ValidAccount(const acme::AccountId& id);
  acme::OrderView View(const OrderRow& row) const;
  bool Holds(const acme::AccountId& id, const acme::Identifier& identifier, Time now) const;

  bool IsInUse(const ca::Serial& serial) const;

  ca::CertificateStore& certificates_;
  std::mutex mutex_;  // guards everything below
  std::map<acme::AccountId, acme::Account> accounts_;
  std::map<acme::OrderId, OrderRow> orders_;
  std::map<acme::AuthorizationId, acme::Authorization> authorizations_;
};

}  // namespace agentca::storage
