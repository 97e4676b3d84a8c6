#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/sql_certificates.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Order;
using acme::OrderId;
using acme::OrderView;

constexpr const char* kInsert =
    "INSERT INTO acme_order (id, account, created_at, expires_at, identifiers, authorizations, "
    "not_before, not_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
#define AGENTCA_ORDER_COLUMNS                                                                 \
  "o.id, o.account, o.created_at, o.expires_at, o.identifiers, o.authorizations, o.not_before, " \
  "o.not_after, o.finalizing, o.certificate, o.error, a.status, o.approval"
#define AGENTCA_ORDER_BY_ID               \
  "SELECT " AGENTCA_ORDER_COLUMNS         \
  " FROM acme_order o JOIN acme_account a " \
  "ON a.id = o.account WHERE o.id = ?"
constexpr const char* kById = AGENTCA_ORDER_BY_ID;
constexpr const char* kByIdMine = AGENTCA_ORDER_BY_ID " /*FOR UPDATE OF o FOR KEY SHARE OF a*/";
// With the authorization, if it is the only one.
constexpr int kOrderColumns = 13;
constexpr const char* kByIdWithOne =
    "SELECT " AGENTCA_ORDER_COLUMNS ", " AGENTCA_AUTHORIZATION_COLUMNS
    " FROM acme_order o JOIN acme_account a ON a.id = o.account "
    "LEFT JOIN acme_authorization z ON z.id = o.authorizations WHERE o.id = ?";
#undef AGENTCA_ORDER_BY_ID
#undef AGENTCA_ORDER_COLUMNS
constexpr const char* kIsPlaced =
    "SELECT 1 FROM acme_order WHERE id = ? AND account = ? AND created_at = ?";
constexpr const char* kIsSettled =
    "SELECT 1 FROM acme_order WHERE id = ? AND (certificate = ? OR error = ?)";
constexpr const char* kByCertificate = "SELECT id FROM acme_order WHERE certificate = ?";
// The orders that can be anything but invalid, as far as the row tells.
constexpr const char* kByAccount =
    "SELECT id FROM acme_order WHERE account = ?1 AND (created_at, id) < (?2, ?3) "
    "AND error IS NULL AND (finalizing = 1 OR expires_at > ?4) "
    "ORDER BY created_at DESC, id DESC LIMIT ?5";
constexpr const char* kCursor = "SELECT created_at FROM acme_order WHERE id = ? AND account = ?";
// Both for the worker alone, if there is one; the first as SettleOrder.
constexpr const char* kSettle =
    "UPDATE acme_order SET certificate = ?, error = ?, worker = NULL WHERE id = ? "
    "AND finalizing = 1 AND certificate IS NULL AND error IS NULL "
    "AND (worker IS NULL OR worker = ?) RETURNING id";
constexpr const char* kKeep =
    "UPDATE acme_order SET worker = ?1 WHERE id = ?2 AND (worker IS NULL OR worker = ?1) "
    "RETURNING id";
constexpr const char* kBegin =
    "UPDATE acme_order SET finalizing = 1, approval = ?, worker = ? WHERE id = ?";

// Orders and authorizations that are looked at for one page: with more, the page is short but goes
// on.
constexpr size_t kMaxLooks = 2000;

Result<std::optional<ca::Serial>> SerialOrNull(Query& row, int column) {
  if (row.IsNull(column)) return std::optional<ca::Serial>();
  auto serial = ca::Serial::FromBytes(row.BlobView(column));
  if (!serial.ok()) return Damaged("a serial number");
  return std::optional(*std::move(serial));
}

struct ReadOrder {
  OrderRow row;
  bool asks;  // its approval is not read yet
};
Result<ReadOrder> Read(Query& row) {
  AGENTCA_ASSIGN(const acme::AccountStatus account, AccountStatusFromInt(row.Int(11)));
  Order order{.id = row.Text(0),
              .account_id = row.Text(1),
              .created_at = row.At(2),
              .expires_at = row.At(3),
              .identifiers = {},
              .not_before = row.OptionalAt(6),
              .not_after = row.OptionalAt(7),
              .finalizing = row.Flag(8),
              .cancelled = false,
              .certificate = {},
              .error = {}};
  order.cancelled = account != acme::AccountStatus::kValid && !order.finalizing;
  AGENTCA_ASSIGN(order.identifiers, IdentifiersFromText(row.Text(4)));
  AGENTCA_ASSIGN(order.certificate, SerialOrNull(row, 9));
  AGENTCA_ASSIGN(order.error, ErrorFromJson(row.OptionalText(10)));
  std::vector<std::string> ids = FromLines(row.Text(5));
  const bool asks = row.Flag(12);
  if (!row.intact()) return Damaged("an order");
  return ReadOrder{{std::move(order), std::move(ids), account}, asks};
}

// An order without one of its authorizations is damage, not something that was not found.
Result<OrderView> LoadView(Connection& connection, OrderRow row, Hold hold) {
  auto authorizations = LoadAuthorizations(connection, row.authorizations, hold);
  if (authorizations.ok()) return OrderView{std::move(row.order), *std::move(authorizations)};
  if (authorizations.error().code == Code::kNotFound) return Damaged("an order");
  return authorizations.error();
}

Result<OrderView> LoadOrder(Connection& connection, const OrderId& id) {
  AGENTCA_ASSIGN(OrderRow row, LoadOrderRow(connection, id, Hold::kNothing));
  return LoadView(connection, std::move(row), Hold::kNothing);
}

// By one statement, if that does: an order of one name that asks for no approval, as most do not.
Result<std::optional<OrderView>> LoadSimpleOrder(Connection& connection, const OrderId& id) {
  Query row(connection, kByIdWithOne, id);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchOrder();
  AGENTCA_ASSIGN(ReadOrder read, Read(row));
  if (read.asks || row.IsNull(kOrderColumns)) return std::optional<OrderView>();
  AGENTCA_ASSIGN(auto authorization, ReadAuthorization(row, kOrderColumns));
  return std::optional(OrderView{std::move(read.row.order), {std::move(authorization)}});
}

Status InsertOrder(Connection& connection, const acme::NewOrder& request) {
  const Order& order = request.order;
  std::vector<std::string> ids;
  for (const auto& authorization : request.authorizations) ids.push_back(authorization.id);
  AGENTCA_ASSIGN(const std::string identifiers, ToText(order.identifiers));
  AGENTCA_ASSIGN(const std::string authorizations, ToLines(ids));
  return Query(connection, kInsert, order.id, order.account_id, order.created_at, order.expires_at,
               identifiers, authorizations, order.not_before, order.not_after)
      .Run();
}

Status CheckReady(Connection& connection, const OrderId& id, const acme::FinalizeGuard& guard,
                  Time now) {
  AGENTCA_ASSIGN(OrderRow row, LoadOrderRow(connection, id, Hold::kMine));
  const acme::AccountStatus account = row.account;
  AGENTCA_ASSIGN(OrderView view, LoadView(connection, std::move(row), Hold::kShared));
  AGENTCA_TRY(StartFinalizing(view, account, now));
  SqlLedger ledger(connection);
  return CheckGuard(ledger, view, guard);
}

// An order that asks waits for a human, and is nobody's work.
Status MarkFinalizing(Connection& connection, const OrderId& id, bool asks,
                      const std::string& self) {
  std::optional<std::string> worker;
  if (!asks) worker = self;
  return Query(connection, kBegin, asks, worker, id).Run();
}

// False: the order is the work of another.
Result<bool> RunAsWorker(Query& update) {
  AGENTCA_ASSIGN(const bool ours, update.Next());
  if (ours) AGENTCA_TRY(update.Run());  // a statement with RETURNING acts to the end
  return ours;
}

// What hinders it is looked for when something did.
Status Settle(Connection& connection, const OrderId& id, const Result<ca::Serial>& outcome,
              const std::string& self) {
  std::optional<Bytes> serial;
  std::optional<std::string> error;
  if (outcome.ok()) serial = outcome->bytes();
  if (!outcome.ok()) error = ToJson(outcome.error());
  Query update(connection, kSettle, serial, error, id, self);
  const auto settled = RunAsWorker(update);
  if (!settled.ok() && settled.error().code == Code::kConflict) return CertificateInUse();
  AGENTCA_TRY(settled);
  if (*settled) return {};
  AGENTCA_ASSIGN(OrderRow row, LoadOrderRow(connection, id, Hold::kNothing));
  AGENTCA_TRY(SettleOrder(row.order, outcome));
  return TakenUp();
}

Result<bool> IsSettled(Connection& connection, const OrderId& id,
                       const Result<ca::Serial>& outcome) {
  std::optional<Bytes> serial;
  std::optional<std::string> error;
  if (outcome.ok()) serial = outcome->bytes();
  if (!outcome.ok()) error = ToJson(outcome.error());
  return Query(connection, kIsSettled, id, serial, error).Next();
}

// Where a page begins: before everything, or after the order `after`.
struct Position {
  int64_t created_at = INT64_MAX;
  std::string id;
};
Result<Position> PositionOf(Connection& connection, const acme::AccountId& account,
                            std::string_view after) {
  if (after.empty()) return Position{};
  Query row(connection, kCursor, after, account);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return UnknownCursor();
  return Position{row.Int(0), std::string(after)};
}

}  // namespace

Result<OrderRow> LoadOrderRow(Connection& connection, const OrderId& id, Hold hold) {
  Query row(connection, hold == Hold::kMine ? kByIdMine : kById, id);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchOrder();
  AGENTCA_ASSIGN(ReadOrder read, Read(row));
  if (read.asks) {
    AGENTCA_ASSIGN(read.row.order.approval, LoadApproval(connection, id));
  }
  return std::move(read.row);
}

Result<OrderView> SqlAcmeStore::CreateOrder(const acme::NewOrder& request) {
  const Order& order = request.order;
  // The account is not held: an order is cancelled when its account is not valid, whichever was
  // first.
  const auto place = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const auto account, AccountStatusOf(connection, order.account_id));
    AGENTCA_TRY(GuardAccountChange(account));
    AGENTCA_TRY(InsertOrder(connection, request));
    for (const auto& authorization : request.authorizations) {
      AGENTCA_TRY(InsertAuthorization(connection, authorization));
    }
    return {};
  };
  const auto is_placed = [&](Connection& connection) {
    return Query(connection, kIsPlaced, order.id, order.account_id, order.created_at).Next();
  };
  AGENTCA_TRY(database_.Write(place, is_placed, Isolation::kLocks));
  return OrderView{order, request.authorizations};
}

Result<OrderView> SqlAcmeStore::FindOrder(const OrderId& id) {
  AGENTCA_ASSIGN(auto simple, database_.Read([&](Connection& connection) {
    return LoadSimpleOrder(connection, id);
  }));
  if (simple) return *std::move(simple);
  return database_.ReadSnapshot([&](Connection& connection) { return LoadOrder(connection, id); });
}

Result<OrderView> SqlAcmeStore::FindOrderByCertificate(const ca::Serial& serial) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<OrderView> {
    Query row(connection, kByCertificate, serial.bytes());
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return NoSuchOrder();
    return LoadOrder(connection, row.Text(0));
  });
}

Result<acme::OrderPage> SqlAcmeStore::ListOrders(const acme::AccountId& id,
                                                    std::string_view after, size_t limit,
                                                    Time now) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<acme::OrderPage> {
    AGENTCA_ASSIGN(const Position position, PositionOf(connection, id, after));
    acme::OrderPage page;
    Query row(connection, kByAccount, id, position.created_at, position.id, now,
              static_cast<int64_t>(kMaxLooks + 1));
    std::string seen;
    for (size_t looks = 0;;) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      if (!found) return page;
      if (looks >= kMaxLooks) break;
      AGENTCA_ASSIGN(const OrderView view, LoadOrder(connection, row.Text(0)));
      looks += 1 + view.authorizations.size();
      const bool listed =
          acme::StatusOf(view.order, view.authorizations, now) != acme::OrderStatus::kInvalid;
      if (listed && page.orders.size() >= limit) break;
      if (listed) page.orders.push_back(view.order.id);
      seen = view.order.id;
    }
    page.next = seen;
    return page;
  });
}

Status SqlAcmeStore::BeginFinalize(const OrderId& id, const ca::Ticket& ticket,
                                      const acme::FinalizeGuard& guard, Time now) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_TRY(CheckReady(connection, id, guard, now));
        AGENTCA_TRY(MarkFinalizing(connection, id, false, process_));
        return AddIntent(connection, ticket, process_, now);
      },
      [&](Connection& connection) { return IsIntended(connection, ticket); }, Isolation::kLocks);
}

Status SqlAcmeStore::AskApproval(const OrderId& id, const acme::Approval& approval,
                                    const acme::FinalizeGuard& guard, Time now) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_TRY(CheckReady(connection, id, guard, now));
        AGENTCA_TRY(InsertApproval(connection, id, approval));
        return MarkFinalizing(connection, id, true, process_);
      },
      [&](Connection& connection) { return IsAsked(connection, id, approval); },
      Isolation::kLocks);
}

Status SqlAcmeStore::BeginApproved(const OrderId& id, const ca::Ticket& ticket,
                                      const acme::FinalizeGuard& guard, Time now) {
  const auto begin = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(OrderRow row, LoadOrderRow(connection, id, Hold::kMine));
    AGENTCA_TRY(GuardApproved(row.order, row.account, ticket, now));
    AGENTCA_ASSIGN(const bool begun, HasHadIntent(connection, id));
    if (begun) return BegunBefore();
    AGENTCA_ASSIGN(const OrderView view, LoadView(connection, std::move(row), Hold::kShared));
    SqlLedger ledger(connection);
    AGENTCA_TRY(CheckGuard(ledger, view, guard));
    Query update(connection, kKeep, process_, id);
    AGENTCA_ASSIGN(const bool ours, RunAsWorker(update));
    if (!ours) return BegunBefore();
    return AddIntent(connection, ticket, process_, now);
  };
  return database_.Write(
      begin, [&](Connection& connection) { return IsIntended(connection, ticket); },
      Isolation::kLocks);
}

Status SqlAcmeStore::CompleteOrder(const OrderId& id, const ca::Certificate& certificate,
                                      const ca::IssuerId& issuer,
                                      const std::optional<ca::AgentId>& agent) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_TRY(Settle(connection, id, certificate.serial, process_));
        SqlLedger ledger(connection);
        if (agent) AGENTCA_TRY(GuardAgent(*agent, ledger.FindAgent(*agent)));
        return AddCertificate(connection, certificate, issuer);
      },
      [&](Connection& connection) { return IsSettled(connection, id, certificate.serial); },
      Isolation::kLocks);
}

Status SqlAcmeStore::FinishOrder(const OrderId& id, const Result<ca::Serial>& outcome) {
  return database_.Write(
      [&](Connection& connection) { return Settle(connection, id, outcome, process_); },
      [&](Connection& connection) { return IsSettled(connection, id, outcome); },
      Isolation::kLocks);
}

}  // namespace agentca::storage
