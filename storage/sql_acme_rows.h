// Rows of the acme_ tables as values: what the files of SqlAcmeStore share. Each function is
// part of a transaction of its caller's.
#pragma once

#include "acme/store.h"
#include "storage/evidence.h"
#include "storage/sql.h"

namespace agentca::storage {

// kNotFound when there is none.
Result<acme::AccountStatus> AccountStatusOf(Connection& connection, const acme::AccountId& id);
Result<acme::AccountStatus> AccountStatusFromInt(int64_t value);

Status InsertAuthorization(Connection& connection, const acme::Authorization& authorization);
Result<acme::Authorization> LoadAuthorization(Connection& connection,
                                              const acme::AuthorizationId& id);
// In the order of `ids`.
Result<std::vector<acme::Authorization>> LoadAuthorizations(
    Connection& connection, const std::vector<acme::AuthorizationId>& ids);

// The order without its authorizations.
struct OrderRow {
  acme::Order order;
  std::vector<acme::AuthorizationId> authorizations;
  acme::AccountStatus account;
};
Result<OrderRow> LoadOrderRow(Connection& connection, const acme::OrderId& id);

Status InsertApproval(Connection& connection, const acme::OrderId& id,
                      const acme::Approval& approval);
Result<bool> IsAsked(Connection& connection, const acme::OrderId& id,
                     const acme::Approval& approval);
Result<acme::Approval> LoadApproval(Connection& connection, const acme::OrderId& id);

// Spends it on this account, and wipes its key. kUnauthorized as acme::Store::CreateAccount.
Status SpendGrantOn(Connection& connection, const std::string& key_id,
                    const acme::AccountId& account, Time now);

// One column of attestations as values.
Result<std::optional<acme::Attestation>> AttestationOrNull(const std::optional<std::string>& json);

class SqlLedger final : public Ledger {
 public:
  explicit SqlLedger(Connection& connection) : connection_(connection) {}
  Result<bool> IsUsed(const acme::Attestation& attestation) override;
  Result<ca::Agent> FindAgent(const ca::AgentId& id) override;
  Result<ca::Agent> Admit(const ca::Agent& agent, const ca::Change& change) override;
  Status Append(const acme::AttestationRecord& record) override;

 private:
  Connection& connection_;
};

}  // namespace agentca::storage
