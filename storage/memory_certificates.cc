#include "storage/memory_certificates.h"

#include <algorithm>

#include "storage/transitions.h"

namespace agentca::storage {

using ca::CertificateRecord;
using ca::IssuerId;
using ca::Serial;
using ca::SerialState;

namespace {

bool Matches(const CertificateRecord& record, const ca::CertificateFilter& filter) {
  const auto& names = record.dns_names;
  if (filter.name && std::find(names.begin(), names.end(), *filter.name) == names.end()) {
    return false;
  }
  if (filter.owner && record.owner != *filter.owner) return false;
  return !filter.only_valid ||
         IsValidAt(record.state, record.revocation.has_value(), record.not_after, filter.now);
}

}  // namespace

CertificateRecord* MemoryCertificateStore::Lookup(const IssuerId& issuer, const Serial& serial) {
  const auto found = positions_.find(serial);
  if (found == positions_.end() || records_[found->second].issuer_id != issuer) return nullptr;
  return &records_[found->second];
}

Status MemoryCertificateStore::RecordIntent(const ca::Ticket& ticket, Time now) {
  if (ticket.spent()) return Error{Code::kInternal, "storage: the ticket is spent"};
  const std::lock_guard lock(mutex_);
  const auto history = histories_.find(ticket.key());
  if (history != histories_.end() && history->second == ca::KeyHistory::kCompromised) {
    return KeyCompromised();
  }
  if (!positions_.emplace(ticket.serial(), records_.size()).second) return SerialReused();
  histories_.emplace(ticket.key(), ca::KeyHistory::kCertified);
  keys_.push_back(ticket.key());
  records_.push_back({.issuer_id = ticket.issuer_id(),
                      .serial = ticket.serial(),
                      .state = SerialState::kIntent,
                      .tbs = ticket.tbs(),
                      .der = {},
                      .reference = ticket.reference(),
                      .owner = ticket.owner(),
                      .profile = ticket.profile(),
                      .dns_names = ticket.dns_names(),
                      .intended_at = now,
                      .not_after = ticket.not_after(),
                      .revocation = {}});
  return {};
}

Status MemoryCertificateStore::RecordCertificate(const ca::Certificate& certificate,
                                                 const IssuerId& issuer) {
  const std::lock_guard lock(mutex_);
  CertificateRecord* record = Lookup(issuer, certificate.serial);
  if (record == nullptr) return NoSuchCertificate();
  AGENTCA_TRY(GuardRecording(record->state));
  record->state = SerialState::kIssued;
  record->der = certificate.der;
  return {};
}

void MemoryCertificateStore::MarkRevoked(CertificateRecord& record, SerialState state,
                                         ca::Reason reason, Time at) {
  record.state = state;
  record.revocation = ca::Revocation{at, reason};
  const int64_t sequence = static_cast<int64_t>(events_.size()) + 1;
  events_.push_back({sequence, record.issuer_id, record.serial});
}

Status MemoryCertificateStore::Abandon(const IssuerId& issuer, const Serial& serial, Time at) {
  const std::lock_guard lock(mutex_);
  CertificateRecord* record = Lookup(issuer, serial);
  if (record == nullptr) return NoSuchCertificate();
  AGENTCA_ASSIGN(const bool pending, GuardAbandoning(record->state));
  if (pending) MarkRevoked(*record, SerialState::kAbandoned, ca::Reason::kUnspecified, at);
  return {};
}

Status MemoryCertificateStore::Revoke(const IssuerId& issuer, const Serial& serial,
                                      ca::Reason reason, Time at) {
  const std::lock_guard lock(mutex_);
  CertificateRecord* record = Lookup(issuer, serial);
  if (record == nullptr) return NoSuchCertificate();
  AGENTCA_TRY(GuardRevoking(record->state, record->revocation.has_value()));
  MarkRevoked(*record, record->state, reason, at);
  if (reason == ca::Reason::kKeyCompromise) {
    histories_[keys_[positions_.at(serial)]] = ca::KeyHistory::kCompromised;
  }
  return {};
}

Result<uint64_t> MemoryCertificateStore::NextCrlNumber(const IssuerId& issuer) {
  const std::lock_guard lock(mutex_);
  return ++crl_numbers_[issuer];
}

Result<ca::KeyHistory> MemoryCertificateStore::HistoryOf(const Sha256Digest& key) {
  const std::lock_guard lock(mutex_);
  const auto found = histories_.find(key);
  return found == histories_.end() ? ca::KeyHistory::kNone : found->second;
}

Result<ca::CertStatus> MemoryCertificateStore::StatusOf(const IssuerId& issuer,
                                                        const Serial& serial) {
  const std::lock_guard lock(mutex_);
  const CertificateRecord* record = Lookup(issuer, serial);
  if (record == nullptr) return NoSuchCertificate();
  return ca::CertStatus{record->state, record->revocation, record->not_after};
}

Result<std::vector<CertificateRecord>> MemoryCertificateStore::ListIntents(ca::WorkScope scope,
                                                                           size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<CertificateRecord> intents;
  if (scope == ca::WorkScope::kDead) return intents;  // all of them are this process's
  for (const CertificateRecord& each : records_) {
    if (intents.size() >= limit) break;
    if (each.state == SerialState::kIntent) intents.push_back(each);
  }
  return intents;
}

Result<CertificateRecord> MemoryCertificateStore::Find(const IssuerId& issuer,
                                                       const Serial& serial) {
  const std::lock_guard lock(mutex_);
  const CertificateRecord* record = Lookup(issuer, serial);
  if (record == nullptr) return NoSuchCertificate();
  return *record;
}

Result<CertificateRecord> MemoryCertificateStore::FindByReference(std::string_view reference) {
  const std::lock_guard lock(mutex_);
  const auto latest =
      std::find_if(records_.rbegin(), records_.rend(), [&](const CertificateRecord& each) {
        return !reference.empty() && each.reference == reference;
      });
  if (latest == records_.rend()) return NoSuchCertificate();
  return *latest;
}

Result<std::vector<CertificateRecord>> MemoryCertificateStore::List(
    const ca::CertificateFilter& filter) {
  const std::lock_guard lock(mutex_);
  size_t end = records_.size();
  if (!filter.after.empty()) {
    const auto serial = Serial::FromHex(filter.after);
    const auto found = serial.ok() ? positions_.find(*serial) : positions_.end();
    if (found == positions_.end()) return UnknownCursor();
    end = found->second;
  }
  std::vector<CertificateRecord> listed;
  while (end > 0 && listed.size() < filter.limit) {
    if (Matches(records_[--end], filter)) listed.push_back(records_[end]);
  }
  return listed;
}

Status MemoryCertificateStore::VisitRevoked(
    const IssuerId& issuer, Time not_before,
    const std::function<bool(const ca::RevokedEntry&)>& visit) {
  std::vector<ca::RevokedEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [serial, position] : positions_) {
      const CertificateRecord& each = records_[position];
      if (each.issuer_id == issuer && each.revocation && each.not_after >= not_before) {
        entries.push_back({serial, *each.revocation});
      }
    }
  }
  for (const ca::RevokedEntry& entry : entries) {
    if (!visit(entry)) break;
  }
  return {};
}

Result<std::vector<ca::RevocationEvent>> MemoryCertificateStore::RevocationsSince(int64_t after,
                                                                                  size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<ca::RevocationEvent> events;
  for (const ca::RevocationEvent& each : events_) {
    if (events.size() >= limit) break;
    if (each.sequence > after) events.push_back(each);
  }
  return events;
}

Result<int64_t> MemoryCertificateStore::LastRevocationSequence() {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(events_.size());
}

}  // namespace agentca::storage
