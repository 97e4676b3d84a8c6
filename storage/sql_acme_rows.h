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

// What becomes of a row that is read, until the transaction ends.
enum class Hold : uint8_t {
  kNothing,  // anybody may change it
  kShared,   // nobody changes it
  kMine      // nobody else changes it, or holds it
};

Status InsertAuthorization(Connection& connection, const acme::Authorization& authorization);
Result<acme::Authorization> LoadAuthorization(Connection& connection,
                                              const acme::AuthorizationId& id, Hold hold);
// In the order of `ids`.
Result<std::vector<acme::Authorization>> LoadAuthorizations(
    Connection& connection, const std::vector<acme::AuthorizationId>& ids, Hold hold);
// The columns of acme_authorization z, and what they say, where the first of them is number `first`.
#define AGENTCA_AUTHORIZATION_COLUMNS                                                        \
  "z.id, z.order_id, z.account, z.identifier, z.wildcard, z.token, z.offered, z.expires_at, " \
  "z.deactivated, z.attempt, z.attempt_state, z.attempt_error, z.validated_at, z.payload, "   \
  "z.drop_key, z.attestation"
Result<acme::Authorization> ReadAuthorization(Query& row, int first);

// The order without its authorizations.
struct OrderRow {
  acme::Order order;
  std::vector<acme::AuthorizationId> authorizations;
  acme::AccountStatus account;
};
// kMine: the order. Nobody is told of its account's deactivation before the transaction ends.
Result<OrderRow> LoadOrderRow(Connection& connection, const acme::OrderId& id, Hold hold);

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
