// ca::CertificateStore in memory.
#pragma once

#include <map>
#include <mutex>

#include "ca/certificate_store.h"

namespace agentca::storage {

class MemoryCertificateStore final : public ca::CertificateStore {
 public:
  Status RecordIntent(const ca::Ticket& ticket, Time now) override;
  Status RecordCertificate(const ca::Certificate& certificate, const ca::IssuerId& issuer) override;
  Status Abandon(const ca::IssuerId& issuer, const ca::Serial& serial, Time at) override;
  Status Revoke(const ca::IssuerId& issuer, const ca::Serial& serial, ca::Reason reason,
                Time at) override;
  Result<uint64_t> NextCrlNumber(const ca::IssuerId& issuer) override;
  Result<ca::KeyHistory> HistoryOf(const Sha256Digest& key) override;
  Result<ca::CertStatus> StatusOf(const ca::IssuerId& issuer, const ca::Serial& serial) override;
  Result<std::vector<ca::CertificateRecord>> ListIntents(ca::WorkScope scope,
                                                         size_t limit) override;
  Result<ca::CertificateRecord> Find(const ca::IssuerId& issuer, const ca::Serial& serial) override;
  Result<ca::CertificateRecord> FindByReference(std::string_view reference) override;
  Result<std::vector<ca::CertificateRecord>> List(const ca::CertificateFilter& filter) override;
  Status VisitRevoked(const ca::IssuerId& issuer, Time not_before,
                      const std::function<bool(const ca::RevokedEntry&)>& visit) override;
  Result<std::vector<ca::RevocationEvent>> RevocationsSince(int64_t after, size_t limit) override;
  Result<int64_t> LastRevocationSequence() override;

 private:
  // Called with mutex_ held; null when there is none.
  ca::CertificateRecord* Lookup(const ca::IssuerId& issuer, const ca::Serial& serial);
  void MarkRevoked(ca::CertificateRecord& record, ca::SerialState state, ca::Reason reason,
                   Time at);

  std::mutex mutex_;                            // guards everything below
  std::vector<ca::CertificateRecord> records_;  // in the order of the intents
  std::map<ca::Serial, size_t> positions_;      // in records_
  std::vector<Sha256Digest> keys_;              // keys_[i] is that of records_[i]
  std::map<Sha256Digest, ca::KeyHistory> histories_;
  std::vector<ca::RevocationEvent> events_;
  std::map<ca::IssuerId, uint64_t> crl_numbers_;
};

}  // namespace agentca::storage
