// A certificate store in memory with faults that tests switch on: for tests of ca/ alone. The real
// ones are in storage/ and have a contract suite of their own.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "ca/certificate_store.h"

namespace agentca::fakes {

class FakeCertificateStore final : public ca::CertificateStore {
 public:
  enum class Fault { kNone, kFails, kFailsButPersists };

  // Faults hit every verb until they are switched off.
  void SetFault(Fault fault) {
    std::lock_guard lock(mutex_);
    fault_ = fault;
  }
  // Hits the nth write from now (1: the next), and no other.
  void SetFaultOfWrite(int nth, Fault fault) {
    std::lock_guard lock(mutex_);
    writes_until_fault_ = nth;
    fault_of_write_ = fault;
  }
  // Called by StatusOf after it has read and before it returns, without the lock: where a slow
  // reader meets a revocation.
  void SetAfterStatusOf(std::function<void()> hook) {
    std::lock_guard lock(mutex_);
    after_status_of_ = std::move(hook);
  }
  // How often a verb met a fault.
  int failures() const {
    std::lock_guard lock(mutex_);
    return failures_;
  }
  int status_reads() const {
    std::lock_guard lock(mutex_);
    return status_reads_;
  }
  void SetNextCrlNumber(uint64_t number) {
    std::lock_guard lock(mutex_);
    next_crl_number_ = number;
  }

  // Puts a serial into the store as it would be after issuance.
  void Add(const ca::IssuerId& issuer, const ca::Serial& serial, Time not_after,
           ca::SerialState state = ca::SerialState::kIssued) {
    std::lock_guard lock(mutex_);
    ca::CertificateRecord record{issuer, serial, state, {}, {}, {}, {}, {}, {}, {}, not_after, {}};
    records_.insert_or_assign({issuer, serial}, std::move(record));
  }

  Status RecordIntent(const ca::Ticket& ticket, Time now) override {
    std::lock_guard lock(mutex_);
    if (records_.contains({ticket.issuer_id(), ticket.serial()}))
      return Error{Code::kConflict, "serial number reused"};
    return Write([&] {
      records_.insert_or_assign({ticket.issuer_id(), ticket.serial()},
                                ca::CertificateRecord{ticket.issuer_id(),
                                                      ticket.serial(),
                                                      ca::SerialState::kIntent,
                                                      ticket.tbs(),
                                                      {},
                                                      ticket.reference(),
                                                      ticket.owner(),
                                                      ticket.profile(),
                                                      ticket.dns_names(),
                                                      now,
                                                      ticket.not_after(),
                                                      {}});
    });
  }

  Status RecordCertificate(const ca::Certificate& certificate,
                           const ca::IssuerId& issuer) override {
    std::lock_guard lock(mutex_);
    ca::CertificateRecord* record = Get(issuer, certificate.serial);
    if (record == nullptr) return Missing();
    if (record->state != ca::SerialState::kIntent) return Error{Code::kConflict, "not an intent"};
    return Write([&] {
      record->state = ca::SerialState::kIssued;
      record->der = certificate.der;
    });
  }

  Status Abandon(const ca::IssuerId& issuer, const ca::Serial& serial, Time at) override {
    std::lock_guard lock(mutex_);
    ca::CertificateRecord* record = Get(issuer, serial);
    if (record == nullptr) return Missing();
    if (record->state == ca::SerialState::kIssued) return Error{Code::kConflict, "already issued"};
    return Write([&] {
      record->state = ca::SerialState::kAbandoned;
      SetRevoked(*record, ca::Reason::kUnspecified, at);
    });
  }

  // There is one process: all intents are its own.
  Result<std::vector<ca::CertificateRecord>> ListIntents(ca::WorkScope scope,
                                                         size_t limit) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    std::vector<ca::CertificateRecord> out;
    if (scope == ca::WorkScope::kDead) return out;
    for (const auto& [key, record] : records_) {
      if (record.state == ca::SerialState::kIntent && out.size() < limit) out.push_back(record);
    }
    return out;
  }

  // Keys are nothing to ca/: this store keeps no history of them.
  Result<ca::KeyHistory> HistoryOf(const Sha256Digest&) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    return ca::KeyHistory::kNone;
  }

  Result<ca::CertStatus> StatusOf(const ca::IssuerId& issuer, const ca::Serial& serial) override {
    std::unique_lock lock(mutex_);
    ++status_reads_;
    if (Failing()) return Away();
    const ca::CertificateRecord* record = Get(issuer, serial);
    if (record == nullptr) return Missing();
    const ca::CertStatus status{record->state, record->revocation, record->not_after};
    const auto hook = after_status_of_;
    lock.unlock();
    if (hook) hook();
    return status;
  }

  Result<ca::CertificateRecord> Find(const ca::IssuerId& issuer,
                                     const ca::Serial& serial) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    const ca::CertificateRecord* record = Get(issuer, serial);
    if (record == nullptr) return Missing();
    return *record;
  }

  Result<ca::CertificateRecord> FindByReference(std::string_view reference) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    for (const auto& [key, record] : records_) {
      if (record.reference == reference) return record;
    }
    return Missing();
  }

  Result<std::vector<ca::CertificateRecord>> List(const ca::CertificateFilter& filter) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    std::vector<ca::CertificateRecord> out;
    for (const auto& [key, record] : records_) {
      if (out.size() < filter.limit) out.push_back(record);
    }
    return out;
  }

  Status Revoke(const ca::IssuerId& issuer, const ca::Serial& serial, ca::Reason reason,
                Time at) override {
    std::lock_guard lock(mutex_);
    ca::CertificateRecord* record = Get(issuer, serial);
    if (record == nullptr || record->state == ca::SerialState::kIntent) return Missing();
    if (record->revocation) return Error{Code::kAlreadyRevoked, "already revoked"};
    return Write([&] { SetRevoked(*record, reason, at); });
  }

  Status VisitRevoked(const ca::IssuerId& issuer, Time not_before,
                      const std::function<bool(const ca::RevokedEntry&)>& visit) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    for (const auto& [key, record] : records_) {
      if (key.first == issuer && record.revocation && record.not_after >= not_before &&
          !visit({record.serial, *record.revocation})) {
        break;
      }
    }
    return {};
  }

  Result<std::vector<ca::RevocationEvent>> RevocationsSince(int64_t after, size_t limit) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    std::vector<ca::RevocationEvent> out;
    for (const auto& event : events_) {
      if (event.sequence > after && out.size() < limit) out.push_back(event);
    }
    return out;
  }

  Result<int64_t> LastRevocationSequence() override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    return static_cast<int64_t>(events_.size());
  }

  Result<uint64_t> NextCrlNumber(const ca::IssuerId&) override {
    std::lock_guard lock(mutex_);
    if (Failing()) return Away();
    return next_crl_number_++;
  }

 private:
  Error Away() {
    ++failures_;
    return Error{Code::kUnavailable, "the store is away"};
  }
  static Error Missing() { return Error{Code::kNotFound, "no such serial number"}; }
  bool Failing() const { return fault_ != Fault::kNone; }

  template <class Effect>
  Status Write(Effect effect) {
    const Fault fault = --writes_until_fault_ == 0 ? fault_of_write_ : fault_;
    if (fault != Fault::kFails) effect();
    if (fault != Fault::kNone) return Away();
    return {};
  }

  ca::CertificateRecord* Get(const ca::IssuerId& issuer, const ca::Serial& serial) {
    const auto found = records_.find({issuer, serial});
    return found == records_.end() ? nullptr : &found->second;
  }

  void SetRevoked(ca::CertificateRecord& record, ca::Reason reason, Time at) {
    record.revocation = ca::Revocation{at, reason};
    const auto sequence = static_cast<int64_t>(events_.size()) + 1;
    events_.push_back({sequence, record.issuer_id, record.serial});
  }

  mutable std::mutex mutex_;  // guards everything below
  Fault fault_ = Fault::kNone;
  int writes_until_fault_ = 0;
  Fault fault_of_write_ = Fault::kNone;
  std::function<void()> after_status_of_;
  int status_reads_ = 0;
  int failures_ = 0;
  std::map<std::pair<ca::IssuerId, ca::Serial>, ca::CertificateRecord> records_;
  std::vector<ca::RevocationEvent> events_;
  uint64_t next_crl_number_ = 1;
};

}  // namespace agentca::fakes
