#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Approval;
using acme::ApprovalRecord;
using acme::Decision;
using acme::OrderId;

constexpr const char* kInsert =
    "INSERT INTO acme_approval (order_id, tenant, agent, csr, decision, asked_at, decided_by, "
    "reason, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kByOrder =
    "SELECT tenant, agent, csr, decision, asked_at, decided_by, reason, decided_at "
    "FROM acme_approval WHERE order_id = ?";
constexpr const char* kDecide =
    "UPDATE acme_approval SET decision = ?, decided_by = ?, reason = ?, decided_at = ? "
    "WHERE order_id = ?";
constexpr const char* kIsDecided =
    "SELECT 1 FROM acme_approval WHERE order_id = ? AND decision = ? AND decided_by = ? "
    "AND reason = ? AND decided_at = ?";
constexpr const char* kAll =
    "SELECT p.order_id, o.account FROM acme_approval p JOIN acme_order o ON o.id = p.order_id "
    "WHERE (p.asked_at, p.order_id) < (?, ?) ORDER BY p.asked_at DESC, p.order_id DESC LIMIT ?";
// Those of orders that were settled meanwhile wait for nothing.
constexpr const char* kWaiting =
    "SELECT p.order_id, o.account FROM acme_approval p JOIN acme_order o ON o.id = p.order_id "
    "WHERE (p.asked_at, p.order_id) < (?, ?) AND p.decision = 0 "
    "AND o.certificate IS NULL AND o.error IS NULL "
    "ORDER BY p.asked_at DESC, p.order_id DESC LIMIT ?";

Result<int64_t> AskedAt(Connection& connection, std::string_view order) {
  if (order.empty()) return INT64_MAX;
  Query row(connection, "SELECT asked_at FROM acme_approval WHERE order_id = ?", order);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return UnknownCursor();
  return row.Int(0);
}

}  // namespace

Status InsertApproval(Connection& connection, const OrderId& id, const Approval& approval) {
  return Query(connection, kInsert, id, approval.agent.tenant, approval.agent.name, approval.csr,
               static_cast<int>(approval.decision), approval.asked_at, approval.decided_by,
               approval.reason, approval.decided_at)
      .Run();
}

Result<bool> IsAsked(Connection& connection, const OrderId& id, const Approval& approval) {
  return Query(connection,
               "SELECT 1 FROM acme_approval WHERE order_id = ? AND csr = ? AND asked_at = ?", id,
               approval.csr, approval.asked_at)
      .Next();
}

Result<Approval> LoadApproval(Connection& connection, const OrderId& id) {
  Query row(connection, kByOrder, id);
  AGENTCA_ASSIGN(const bool found, row.Next());
  const int64_t decision = found ? row.Int(3) : -1;
  if (decision < 0 || decision > static_cast<int64_t>(Decision::kDenied)) {
    return Damaged("an approval");
  }
  Approval approval{.agent = {row.Text(0), row.Text(1)},
                    .csr = row.Blob(2),
                    .decision = static_cast<Decision>(decision),
                    .asked_at = row.At(4),
                    .decided_by = row.Text(5),
                    .reason = row.Text(6),
                    .decided_at = row.OptionalAt(7)};
  if (!row.intact()) return Damaged("an approval");
  return approval;
}

Status SqlAcmeStore::DecideApproval(const OrderId& id, Decision decision, const std::string& by,
                                       const std::string& reason, Time now) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_ASSIGN(OrderRow row, LoadOrderRow(connection, id, Hold::kMine));
        AGENTCA_TRY(Decide(row.order, decision, by, reason, now));
        SqlLedger ledger(connection);
        AGENTCA_TRY(GuardDecision(ledger, *row.order.approval));
        return Query(connection, kDecide, static_cast<int>(decision), by, reason, now, id).Run();
      },
      [&](Connection& connection) {
        return Query(connection, kIsDecided, id, static_cast<int>(decision), by, reason, now)
            .Next();
      });
}

Result<std::vector<ApprovalRecord>> SqlAcmeStore::ListApprovals(bool all, std::string_view after,
                                                                   size_t limit) {
  using Records = std::vector<ApprovalRecord>;
  return database_.ReadSnapshot([&](Connection& connection) -> Result<Records> {
    AGENTCA_ASSIGN(const int64_t asked_at, AskedAt(connection, after));
    Records records;
    Query row(connection, all ? kAll : kWaiting, asked_at, after, static_cast<int64_t>(limit));
    for (;;) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      if (!found) return records;
      const OrderId id = row.Text(0);
      AGENTCA_ASSIGN(Approval approval, LoadApproval(connection, id));
      records.push_back({id, row.Text(1), std::move(approval)});
    }
  });
}

}  // namespace agentca::storage
