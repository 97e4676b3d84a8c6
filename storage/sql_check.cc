#include "storage/sql_check_rows.h"
#include "storage/sql_maintenance.h"

namespace agentca::storage {
namespace {

// A statement that finds the keys of the rows with one fault.
struct Rule {
  const char* table;
  const char* fault;
  const char* sql;  // one column, a text
};

constexpr Rule kRules[] = {
    {"acme_account", "a status that is out of range",
     "SELECT id FROM acme_account WHERE status < 0 OR status > 2 ORDER BY id"},
    {"acme_order", "an account that is not there",
     "SELECT o.id FROM acme_order o WHERE NOT EXISTS "
     "(SELECT 1 FROM acme_account a WHERE a.id = o.account) ORDER BY o.id"},
    {"acme_order", "a certificate that is not there, or was never issued",
     "SELECT o.id FROM acme_order o WHERE o.certificate IS NOT NULL AND NOT EXISTS "
     "(SELECT 1 FROM certificate_status s WHERE s.serial = o.certificate AND s.state = 1) "
     "ORDER BY o.id"},
    {"acme_order", "a certificate, but also an error, or it was not finalized",
     "SELECT id FROM acme_order WHERE certificate IS NOT NULL AND "
     "(finalizing <> 1 OR error IS NOT NULL) ORDER BY id"},
    {"acme_order", "an approval that is not there",
     "SELECT o.id FROM acme_order o WHERE o.approval = 1 AND NOT EXISTS "
     "(SELECT 1 FROM acme_approval p WHERE p.order_id = o.id) ORDER BY o.id"},
    {"acme_authorization", "an order that is not there",
     "SELECT z.id FROM acme_authorization z WHERE NOT EXISTS "
     "(SELECT 1 FROM acme_order o WHERE o.id = z.order_id) ORDER BY z.id"},
    {"acme_authorization", "a state that is out of range",
     "SELECT id FROM acme_authorization WHERE attempt_state < 0 OR attempt_state > 2 OR "
     "(attempt_state IS NULL) <> (attempt IS NULL) ORDER BY id"},
    {"acme_approval", "a decision that is out of range",
     "SELECT order_id FROM acme_approval WHERE decision < 0 OR decision > 2 ORDER BY order_id"},
    {"acme_grant", "a spent grant whose key was not wiped",
     "SELECT key_id FROM acme_grant WHERE account IS NOT NULL AND mac_key <> ?1 ORDER BY key_id"},
    {"acme_grant", "no attestation",
     "SELECT g.key_id FROM acme_grant g WHERE NOT EXISTS "
     "(SELECT 1 FROM attestation a WHERE a.reference = g.key_id) ORDER BY g.key_id"},
    {"agent", "a status that is out of range",
     "SELECT tenant || '/' || name FROM agent WHERE status < 0 OR status > 2 ORDER BY tenant, "
     "name"},
};

Status Apply(Connection& connection, const Rule& rule, const Bytes& wiped,
             const std::function<void(const Finding&)>& found) {
  Query row(connection, rule.sql);
  if (std::string_view(rule.sql).find("?1") != std::string_view::npos) row.Bind(wiped);
  for (;;) {
    AGENTCA_ASSIGN(const bool more, row.Next());
    if (!more) return {};
    found({rule.table, row.Text(0), rule.fault});
    if (!row.intact()) found({rule.table, "", "a key that is not of its type"});
  }
}

}  // namespace

Status SqlMaintenance::Check(const std::function<void(const Finding&)>& found) {
  constexpr size_t kMacKeySize = 32;
  const Bytes wiped(kMacKeySize);
  AGENTCA_TRY(database_.CheckStorage([&](const std::string& words) {
    found({"", "", "the database: " + words});
  }));
  return database_.ReadSnapshot([&](Connection& connection) -> Status {
    AGENTCA_TRY(CheckCertificates(connection, found));
    AGENTCA_TRY(CheckRevocations(connection, found));
    AGENTCA_TRY(CheckCounters(connection, found));
    for (const Rule& rule : kRules) AGENTCA_TRY(Apply(connection, rule, wiped, found));
    return {};
  });
}

}  // namespace agentca::storage
