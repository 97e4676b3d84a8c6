// Claims of acme::Store in SQL. What might be claimed is read first, and apart: there is nothing as
// a rule, and a transaction that only looks gets into nobody's way. The claim looks again, row by
// row. A row that is ours by then was claimed by an attempt of which the driver knew no end.
#include <algorithm>

#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/sql_cluster.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::OrderId;
using acme::PendingValidation;
using ca::WorkScope;
using Ids = std::vector<std::string>;

constexpr size_t kMost = size_t{1} << 20;

// ?1 this process, ?2 whether its own are meant, too, ?3 to ?4 when a lease must end to hold, ?5 at
// most so many, ?6 now.
constexpr const char* kLeftChallenges =
    "SELECT id FROM acme_authorization z WHERE attempt_state = 0 AND deactivated = 0 AND "
    "(worker IS NULL OR (worker = ?1 AND ?2 = 1) OR (worker <> ?1 AND NOT EXISTS "
    "(SELECT 1 FROM node n WHERE n.id = z.worker AND n.expires_at > ?3 AND n.expires_at <= ?4))) "
    "ORDER BY id LIMIT ?5";
constexpr const char* kLeftOrders =
    "SELECT id FROM acme_order o "
    "WHERE finalizing = 1 AND certificate IS NULL AND error IS NULL AND "
    "(worker IS NULL OR (worker = ?1 AND ?2 = 1) OR (worker <> ?1 AND NOT EXISTS "
    "(SELECT 1 FROM node n WHERE n.id = o.worker AND n.expires_at > ?3 AND n.expires_at <= ?4))) "
    "AND NOT (expires_at > ?6 AND approval = 1 AND EXISTS "
    "(SELECT 1 FROM acme_approval p WHERE p.order_id = o.id AND p.decision = 0)) "
    "ORDER BY id LIMIT ?5";

constexpr const char* kWorkerOfChallenge =
    "SELECT z.worker, a.thumbprint FROM acme_authorization z "
    "JOIN acme_account a ON a.id = z.account WHERE z.id = ?";
constexpr const char* kTakeChallenge = "UPDATE acme_authorization SET worker = ? WHERE id = ?";
constexpr const char* kWorkerOfOrder = "SELECT worker FROM acme_order WHERE id = ?";
constexpr const char* kTakeOrder = "UPDATE acme_order SET worker = ? WHERE id = ?";

Result<Ids> ReadIds(Query& row) {
  Ids ids;
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return ids;
    ids.push_back(row.Text(0));
    if (!row.intact()) return Error{Code::kInternal, "the database is damaged"};
  }
}

// May `self` have it: is it its own, or has its worker died?
Result<bool> IsFree(Connection& connection, const std::optional<std::string>& worker,
                    const std::string& self, const LeaseTime& time) {
  if (worker == self) return true;
  return IsDead(connection, worker, time);
}

Result<std::optional<PendingValidation>> ClaimChallenge(Connection& connection,
                                                        const acme::AuthorizationId& id,
                                                        const std::string& self,
                                                        const LeaseTime& time) {
  std::optional<PendingValidation> nothing;
  std::optional<std::string> worker;
  std::string thumbprint;
  {
    Query row(connection, kWorkerOfChallenge, id);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return nothing;
    worker = row.OptionalText(0);
    thumbprint = row.Text(1);
  }
  AGENTCA_ASSIGN(const bool free, IsFree(connection, worker, self, time));
  if (!free) return nothing;
  AGENTCA_ASSIGN(auto authorization, LoadAuthorization(connection, id, Hold::kMine));
  if (!AwaitsValidation(authorization)) return nothing;
  if (worker != self) AGENTCA_TRY(Query(connection, kTakeChallenge, self, id).Run());
  return std::optional(PendingValidation{std::move(authorization), std::move(thumbprint)});
}

Result<bool> ClaimOrder(Connection& connection, const OrderId& id, const std::string& self,
                        const LeaseTime& time, Time now) {
  std::optional<std::string> worker;
  {
    Query row(connection, kWorkerOfOrder, id);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return false;
    worker = row.OptionalText(0);
  }
  AGENTCA_ASSIGN(const bool free, IsFree(connection, worker, self, time));
  if (!free) return false;
  AGENTCA_ASSIGN(const OrderRow row, LoadOrderRow(connection, id, Hold::kMine));
  if (!AwaitsSettlement(row.order) || AwaitsHuman(row.order, now)) return false;
  if (worker != self) AGENTCA_TRY(Query(connection, kTakeOrder, self, id).Run());
  return true;
}

}  // namespace

Result<std::vector<PendingValidation>> SqlAcmeStore::ClaimChallenges(WorkScope scope,
                                                                     size_t limit) {
  using Pending = std::vector<PendingValidation>;
  AGENTCA_ASSIGN(const Ids left, database_.Read([&](Connection& connection) -> Result<Ids> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    Query row(connection, kLeftChallenges, process_, scope == WorkScope::kOwnAndDead, time.now,
              time.latest, static_cast<int64_t>(std::min(limit, kMost)));
    return ReadIds(row);
  }));
  if (left.empty()) return Pending{};
  return database_.Write([&](Connection& connection) -> Result<Pending> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    Pending claimed;
    for (const std::string& id : left) {
      AGENTCA_ASSIGN(auto pending, ClaimChallenge(connection, id, process_, time));
      if (pending) claimed.push_back(*std::move(pending));
    }
    return claimed;
  });
}

Result<std::vector<OrderId>> SqlAcmeStore::ClaimOrders(WorkScope scope, Time now, size_t limit) {
  AGENTCA_ASSIGN(const Ids left, database_.Read([&](Connection& connection) -> Result<Ids> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    Query row(connection, kLeftOrders, process_, scope == WorkScope::kOwnAndDead, time.now,
              time.latest, static_cast<int64_t>(std::min(limit, kMost)), now);
    return ReadIds(row);
  }));
  if (left.empty()) return Ids{};
  return database_.Write([&](Connection& connection) -> Result<Ids> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    Ids claimed;
    for (const OrderId& id : left) {
      AGENTCA_ASSIGN(const bool ours, ClaimOrder(connection, id, process_, time, now));
      if (ours) claimed.push_back(id);
    }
    return claimed;
  });
}

}  // namespace agentca::storage
