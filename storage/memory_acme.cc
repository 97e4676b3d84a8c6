#include "storage/memory_acme.h"

#include <algorithm>
#include <tuple>

#include "storage/transitions.h"

namespace agentca::storage {

using acme::Account;
using acme::AccountId;
using acme::Authorization;
using acme::AuthorizationId;
using acme::OrderId;
using acme::OrderView;

// ---- Accounts ----------------------------------------------------------------------------------

Account* MemoryAcmeStore::AccountWithKey(std::string_view thumbprint) {
  const auto found = std::find_if(accounts_.begin(), accounts_.end(), [&](const auto& each) {
    return each.second.thumbprint == thumbprint;
  });
  return found == accounts_.end() ? nullptr : &found->second;
}

Result<Account*> MemoryAcmeStore::ValidAccount(const AccountId& id) {
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return NoSuchAccount();
  AGENTCA_TRY(GuardAccountChange(found->second.status));
  return &found->second;
}

Result<acme::AccountCreation> MemoryAcmeStore::CreateAccount(const acme::NewAccount& request) {
  const std::lock_guard lock(mutex_);
  const Account& wanted = request.account;
  if (const Account* existing = AccountWithKey(wanted.thumbprint)) {
    return acme::AccountCreation{*existing, false};
  }
  if (accounts_.contains(wanted.id)) return IdInUse();
  if (!wanted.grant.empty()) AGENTCA_TRY(SpendGrantOn(wanted));
  accounts_.emplace(wanted.id, wanted);
  return acme::AccountCreation{wanted, true};
}

Result<Account> MemoryAcmeStore::FindAccount(const AccountId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return NoSuchAccount();
  return found->second;
}

Result<Account> MemoryAcmeStore::FindAccountByThumbprint(std::string_view thumbprint) {
  const std::lock_guard lock(mutex_);
  const Account* account = AccountWithKey(thumbprint);
  if (account == nullptr) return NoSuchAccount();
  return *account;
}

Result<Account> MemoryAcmeStore::UpdateContacts(const AccountId& id,
                                                const std::vector<std::string>& contacts) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(Account * account, ValidAccount(id));
  account->contacts = contacts;
  return *account;
}

Result<Account> MemoryAcmeStore::AgreeToTerms(const AccountId& id, std::string_view terms_url) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(Account * account, ValidAccount(id));
  account->agreed_terms = terms_url;
  return *account;
}

Status MemoryAcmeStore::DeactivateAccount(const AccountId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return NoSuchAccount();
  if (found->second.status == acme::AccountStatus::kValid) {
    found->second.status = acme::AccountStatus::kDeactivated;
  }
  return {};
}

Status MemoryAcmeStore::ChangeKey(const AccountId& id, std::string_view old_thumbprint,
                                  const ca::PublicKey& new_key, std::string_view new_thumbprint) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return NoSuchAccount();
  AGENTCA_TRY(GuardKeyChange(found->second, old_thumbprint));
  if (const Account* holder = AccountWithKey(new_thumbprint)) return KeyInUse(holder->id);
  found->second.key = new_key;
  found->second.thumbprint = new_thumbprint;
  return {};
}

// ---- Orders ------------------------------------------------------------------------------------

OrderView MemoryAcmeStore::View(const OrderRow& row) const {
  OrderView view{row.order, {}};
  const acme::AccountStatus account = accounts_.at(row.order.account_id).status;
  view.order.cancelled = account != acme::AccountStatus::kValid && !row.order.finalizing;
  for (const AuthorizationId& id : row.authorizations) {
    view.authorizations.push_back(authorizations_.at(id));
  }
  return view;
}

Result<OrderView> MemoryAcmeStore::CreateOrder(const acme::NewOrder& request) {
  const std::lock_guard lock(mutex_);
  AGENTCA_TRY(ValidAccount(request.order.account_id));
  OrderRow row{request.order, {}};
  for (const Authorization& each : request.authorizations) {
    const auto& ids = row.authorizations;
    if (authorizations_.contains(each.id) ||
        std::find(ids.begin(), ids.end(), each.id) != ids.end())
      return IdInUse();
    row.authorizations.push_back(each.id);
  }
  if (!orders_.emplace(request.order.id, std::move(row)).second) return IdInUse();
  for (const Authorization& each : request.authorizations) authorizations_.emplace(each.id, each);
  return OrderView{request.order, request.authorizations};
}

Result<OrderView> MemoryAcmeStore::FindOrder(const OrderId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  return View(found->second);
}

Result<OrderView> MemoryAcmeStore::FindOrderByCertificate(const ca::Serial& serial) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, row] : orders_) {
    if (row.order.certificate == serial) return View(row);
  }
  return NoSuchOrder();
}

Result<acme::OrderPage> MemoryAcmeStore::ListOrders(const AccountId& id, std::string_view after,
                                                    size_t limit, Time now) {
  const std::lock_guard lock(mutex_);
  using Key = std::tuple<Time, OrderId>;
  std::vector<Key> keys;
  std::optional<Key> cursor;
  for (const auto& [order_id, row] : orders_) {
    if (row.order.account_id != id) continue;
    keys.emplace_back(row.order.created_at, order_id);
    if (order_id == after) cursor = keys.back();
  }
  if (!after.empty() && !cursor) return UnknownCursor();
  std::sort(keys.rbegin(), keys.rend());
  acme::OrderPage page;
  for (const Key& key : keys) {
    if (cursor && key >= *cursor) continue;
    const OrderId& order_id = std::get<OrderId>(key);
    const OrderView view = View(orders_.at(order_id));
    if (acme::StatusOf(view.order, view.authorizations, now) == acme::OrderStatus::kInvalid) {
      continue;
    }
    if (page.orders.size() >= limit) {
      page.next = page.orders.back();
      break;
    }
    page.orders.push_back(order_id);
  }
  return page;
}

bool MemoryAcmeStore::IsInUse(const ca::Serial& serial) const {
  return std::any_of(orders_.begin(), orders_.end(),
                     [&](const auto& each) { return each.second.order.certificate == serial; });
}

Result<bool> MemoryAcmeStore::HasHadIntent(const OrderId& id) {
  const auto record = certificates_.FindByReference(id);
  if (record.ok()) return true;
  if (record.error().code == Code::kNotFound) return false;
  return record.error();
}

Status MemoryAcmeStore::Start(const OrderId& id, const acme::FinalizeGuard& guard, Time now,
                              const std::function<Status(OrderRow&)>& begin) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  OrderView view = View(found->second);
  AGENTCA_TRY(StartFinalizing(view, accounts_.at(view.order.account_id).status, now));
  MemoryLedger ledger(attestations_, agents_);
  AGENTCA_TRY(CheckGuard(ledger, view, guard));
  AGENTCA_TRY(begin(found->second));
  found->second.order.finalizing = true;
  return {};
}

Status MemoryAcmeStore::BeginFinalize(const OrderId& id, const ca::Ticket& ticket,
                                      const acme::FinalizeGuard& guard, Time now) {
  return Start(id, guard, now, [&](OrderRow& row) -> Status {
    AGENTCA_TRY(certificates_.RecordIntent(ticket, now));
    row.ours = true;
    return {};
  });
}

Status MemoryAcmeStore::AskApproval(const OrderId& id, const acme::Approval& approval,
                                    const acme::FinalizeGuard& guard, Time now) {
  return Start(id, guard, now, [&](OrderRow& row) -> Status {
    row.order.approval = approval;
    return {};
  });
}

Status MemoryAcmeStore::BeginApproved(const OrderId& id, const ca::Ticket& ticket,
                                      const acme::FinalizeGuard& guard, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  const OrderView view = View(found->second);
  AGENTCA_TRY(GuardApproved(view.order, accounts_.at(view.order.account_id).status, ticket, now));
  AGENTCA_ASSIGN(const bool begun, HasHadIntent(id));
  if (begun) return BegunBefore();
  MemoryLedger ledger(attestations_, agents_);
  AGENTCA_TRY(CheckGuard(ledger, view, guard));
  AGENTCA_TRY(certificates_.RecordIntent(ticket, now));
  found->second.ours = true;
  return {};
}

Status MemoryAcmeStore::CompleteOrder(const OrderId& id, const ca::Certificate& certificate,
                                      const ca::IssuerId& issuer,
                                      const std::optional<ca::AgentId>& agent) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  acme::Order settled = found->second.order;
  AGENTCA_TRY(SettleOrder(settled, certificate.serial));
  if (IsInUse(certificate.serial)) return CertificateInUse();
  MemoryLedger ledger(attestations_, agents_);
  if (agent) AGENTCA_TRY(GuardAgent(*agent, ledger.FindAgent(*agent)));
  AGENTCA_TRY(certificates_.RecordCertificate(certificate, issuer));
  found->second.order = std::move(settled);
  return {};
}

Status MemoryAcmeStore::FinishOrder(const OrderId& id, const Result<ca::Serial>& outcome) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  acme::Order settled = found->second.order;
  AGENTCA_TRY(SettleOrder(settled, outcome));
  if (settled.certificate && IsInUse(*settled.certificate)) return CertificateInUse();
  found->second.order = std::move(settled);
  return {};
}

Result<std::vector<OrderId>> MemoryAcmeStore::ClaimOrders(ca::WorkScope scope, Time now,
                                                          size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<OrderId> ids;
  for (auto& [id, row] : orders_) {
    if (ids.size() >= limit) break;
    if (!AwaitsSettlement(row.order) || AwaitsHuman(row.order, now)) continue;
    if (row.ours && scope == ca::WorkScope::kDead) continue;
    row.ours = true;
    ids.push_back(id);
  }
  return ids;
}

// ---- Authorizations ----------------------------------------------------------------------------

Result<Authorization> MemoryAcmeStore::FindAuthorization(const AuthorizationId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  return found->second;
}

Result<acme::Store::Started> MemoryAcmeStore::BeginChallenge(const AuthorizationId& id,
                                                             acme::ChallengeType type,
                                                             std::string_view payload, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  AGENTCA_ASSIGN(const bool started, StartAttempt(found->second, type, payload, now));
  return Started{found->second, started};
}

Status MemoryAcmeStore::RecordRetry(const AuthorizationId& id, const Error& error) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  return NoteRetry(found->second, error);
}

Status MemoryAcmeStore::FinishChallenge(const AuthorizationId& id,
                                        const Result<acme::Proof>& outcome, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  MemoryLedger ledger(attestations_, agents_);
  return storage::FinishChallenge(ledger, found->second, outcome, now);
}

Result<Authorization> MemoryAcmeStore::DeactivateAuthorization(const AuthorizationId& id,
                                                               Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  AGENTCA_TRY(Deactivate(found->second, now));
  return found->second;
}

Result<std::vector<acme::PendingValidation>> MemoryAcmeStore::ClaimChallenges(ca::WorkScope scope,
                                                                              size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<acme::PendingValidation> pending;
  if (scope == ca::WorkScope::kDead) return pending;  // all of them are this process's
  for (const auto& [id, authorization] : authorizations_) {
    if (pending.size() >= limit) break;
    if (!AwaitsValidation(authorization)) continue;
    pending.push_back({authorization, accounts_.at(authorization.account_id).thumbprint});
  }
  return pending;
}

bool MemoryAcmeStore::Holds(const AccountId& id, const acme::Identifier& identifier,
                            Time now) const {
  const Scope scope = ScopeOf(identifier);
  return std::any_of(authorizations_.begin(), authorizations_.end(), [&](const auto& each) {
    const Authorization& held = each.second;
    return held.account_id == id && held.identifier == scope.base &&
           held.wildcard == scope.wildcard &&
           acme::StatusOf(held, now) == acme::AuthorizationStatus::kValid;
  });
}

Result<bool> MemoryAcmeStore::HoldsAuthorizations(const AccountId& id,
                                                  const std::vector<acme::Identifier>& identifiers,
                                                  Time now) {
  const std::lock_guard lock(mutex_);
  // Holding all of nothing proves nothing.
  return !identifiers.empty() &&
         std::all_of(identifiers.begin(), identifiers.end(),
                     [&](const acme::Identifier& each) { return Holds(id, each, now); });
}

}  // namespace agentca::storage
