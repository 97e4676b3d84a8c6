#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Grant;

constexpr const char* kInsert =
    "INSERT INTO acme_grant (key_id, mac_key, created_at, expires_at) VALUES (?, ?, ?, ?)";
constexpr const char* kById =
    "SELECT g.key_id, g.mac_key, g.created_at, g.expires_at, g.account, a.attestation "
    "FROM acme_grant g LEFT JOIN attestation a ON a.reference = g.key_id WHERE g.key_id = ?";
constexpr const char* kIsRecorded = "SELECT 1 FROM acme_grant WHERE key_id = ? AND mac_key = ?";
// The same number of octets, so that they are written over those of the key.
constexpr const char* kSpend =
    "UPDATE acme_grant SET mac_key = ?, account = ? WHERE key_id = ?";
constexpr const char* kSetAccount = "UPDATE attestation SET account = ? WHERE reference = ?";

Result<Grant> Load(Connection& connection, std::string_view key_id) {
  Query row(connection, kById, key_id);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchGrant();
  Grant grant{.key_id = row.Text(0),
              .mac_key = {},
              .attestation = {},
              .created_at = row.At(2),
              .expires_at = row.At(3)};
  if (row.IsNull(4)) grant.mac_key = row.Blob(1);
  AGENTCA_ASSIGN(auto attestation, AttestationOrNull(row.OptionalText(5)));
  if (!attestation || !row.intact()) return Damaged("a grant");
  grant.attestation = *std::move(attestation);
  return grant;
}

}  // namespace

Status SpendGrantOn(Connection& connection, const std::string& key_id,
                    const acme::AccountId& account, Time now) {
  auto grant = Load(connection, key_id);
  const Bytes zeros(grant.ok() ? grant->mac_key.size() : 0);
  SqlLedger ledger(connection);
  AGENTCA_TRY(SpendGrant(ledger, grant, now));
  AGENTCA_TRY(Query(connection, kSpend, zeros, account, key_id).Run());
  return Query(connection, kSetAccount, account, key_id).Run();
}

Status SqlAcmeStore::RecordGrant(const Grant& grant) {
  const auto record = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const bool known, Query(connection, kById, grant.key_id).Next());
    if (known) return IdInUse();
    SqlLedger ledger(connection);
    AGENTCA_TRY(KeepAttestation(ledger, {grant.key_id, {}, grant.attestation}, grant.created_at));
    return Query(connection, kInsert, grant.key_id, grant.mac_key, grant.created_at,
                 grant.expires_at)
        .Run();
  };
  const auto is_recorded = [&](Connection& connection) {
    return Query(connection, kIsRecorded, grant.key_id, grant.mac_key).Next();
  };
  return database_.Write(record, is_recorded, Isolation::kLocks);
}

Result<Grant> SqlAcmeStore::FindGrant(std::string_view key_id) {
  return database_.Read([&](Connection& connection) { return Load(connection, key_id); });
}

}  // namespace agentca::storage
