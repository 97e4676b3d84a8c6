#include <algorithm>
#include <tuple>

#include "storage/memory_acme.h"
#include "storage/transitions.h"

namespace agentca::storage {

using acme::Attestation;
using acme::AttestationRecord;
using acme::AuthorizationId;
using acme::Grant;
using acme::OrderId;

// ---- Attestations ------------------------------------------------------------------------------

Result<bool> MemoryLedger::IsUsed(const Attestation& attestation) {
  return std::any_of(attestations_.begin(), attestations_.end(), [&](const auto& each) {
    const Attestation& other = each.attestation;
    return other.evidence_hash == attestation.evidence_hash ||
           (!other.replay_id.empty() && other.replay_id == attestation.replay_id);
  });
}

Result<ca::Agent> MemoryLedger::FindAgent(const ca::AgentId& id) { return agents_.Find(id); }

Result<ca::Agent> MemoryLedger::Admit(const ca::Agent& agent, const ca::Change& change) {
  return agents_.Admit(agent, change);
}

Status MemoryLedger::Append(const AttestationRecord& record) {
  attestations_.push_back(record);
  return {};
}

Result<acme::PendingValidation> MemoryAcmeStore::FindByDropKey(const acme::Identifier& identifier,
                                                               const Sha256Digest& nonce) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, each] : authorizations_) {
    if (each.identifier != identifier || !each.drop_key) continue;
    if (!ConstantTimeEqual(*each.drop_key, nonce)) continue;
    return acme::PendingValidation{each, accounts_.at(each.account_id).thumbprint};
  }
  return NoSuchAuthorization();
}

Status MemoryAcmeStore::RecordDrop(const AuthorizationId& id, const Attestation& attestation,
                                   Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = authorizations_.find(id);
  if (found == authorizations_.end()) return NoSuchAuthorization();
  MemoryLedger ledger(attestations_, agents_);
  return storage::RecordDrop(ledger, found->second, attestation, now);
}

Result<std::vector<AttestationRecord>> MemoryAcmeStore::ListAttestations(
    const acme::AttestationFilter& filter) {
  const std::lock_guard lock(mutex_);
  auto each = attestations_.rbegin();
  if (!filter.after.empty()) {
    each = std::find_if(each, attestations_.rend(), [&](const AttestationRecord& record) {
      return record.authorization == filter.after;
    });
    if (each == attestations_.rend()) return UnknownCursor();
    ++each;
  }
  std::vector<AttestationRecord> records;
  for (; each != attestations_.rend() && records.size() < filter.limit; ++each) {
    if (!filter.agent || each->attestation.agent == *filter.agent) records.push_back(*each);
  }
  return records;
}

// ---- Grants ------------------------------------------------------------------------------------

Status MemoryAcmeStore::RecordGrant(const Grant& grant) {
  const std::lock_guard lock(mutex_);
  if (grants_.contains(grant.key_id)) return IdInUse();
  Grant kept = grant;
  MemoryLedger ledger(attestations_, agents_);
  AGENTCA_ASSIGN(kept.attestation,
                 KeepAttestation(ledger, {grant.key_id, {}, grant.attestation}, grant.created_at));
  grants_.emplace(grant.key_id, std::move(kept));
  return {};
}

Result<Grant> MemoryAcmeStore::GrantOf(std::string_view key_id) const {
  const auto found = grants_.find(key_id);
  if (found == grants_.end()) return NoSuchGrant();
  return found->second;
}

Result<Grant> MemoryAcmeStore::FindGrant(std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  return GrantOf(key_id);
}

Status MemoryAcmeStore::SpendGrantOn(const acme::Account& account) {
  auto grant = GrantOf(account.grant);
  MemoryLedger ledger(attestations_, agents_);
  AGENTCA_TRY(SpendGrant(ledger, grant, account.created_at));
  const auto record = std::find_if(
      attestations_.begin(), attestations_.end(),
      [&](const AttestationRecord& each) { return each.authorization == account.grant; });
  record->account = account.id;
  grants_.insert_or_assign(account.grant, *std::move(grant));
  return {};
}

// ---- Approvals ---------------------------------------------------------------------------------

Status MemoryAcmeStore::DecideApproval(const OrderId& id, acme::Decision decision,
                                       const std::string& by, const std::string& reason, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = orders_.find(id);
  if (found == orders_.end()) return NoSuchOrder();
  acme::Order decided = found->second.order;
  AGENTCA_TRY(Decide(decided, decision, by, reason, now));
  MemoryLedger ledger(attestations_, agents_);
  AGENTCA_TRY(GuardDecision(ledger, *decided.approval));
  found->second.order = std::move(decided);
  return {};
}

Result<std::vector<acme::ApprovalRecord>> MemoryAcmeStore::ListApprovals(bool all,
                                                                         std::string_view after,
                                                                         size_t limit) {
  const std::lock_guard lock(mutex_);
  using Key = std::tuple<Time, OrderId>;
  std::vector<Key> keys;
  std::optional<Key> cursor;
  for (const auto& [id, row] : orders_) {
    const auto& approval = row.order.approval;
    if (!approval) continue;
    const Key key(approval->asked_at, id);
    if (id == after) cursor = key;
    const bool waits = approval->decision == acme::Decision::kWaiting;
    if (all || (waits && AwaitsSettlement(row.order))) keys.push_back(key);
  }
  if (!after.empty() && !cursor) return UnknownCursor();
  std::sort(keys.rbegin(), keys.rend());
  std::vector<acme::ApprovalRecord> records;
  for (const Key& key : keys) {
    if (records.size() >= limit) break;
    if (cursor && key >= *cursor) continue;
    const acme::Order& order = orders_.at(std::get<OrderId>(key)).order;
    records.push_back({order.id, order.account_id, *order.approval});
  }
  return records;
}

}  // namespace agentca::storage
