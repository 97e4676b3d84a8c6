// ca::CertificateStore in SQL.
#pragma once

#include "ca/certificate_store.h"
#include "storage/sql.h"

namespace agentca::storage {

class SqlCertificateStore final : public ca::CertificateStore {
 public:
  // `process`: whose intents those are that are recorded here.
  SqlCertificateStore(Database& database, const std::string& process)
      : database_(database), process_(process) {}

  Status RecordIntent(const ca::Ticket& ticket, Time now) override;
  Status RecordCertificate(const ca::Certificate& certificate, const ca::IssuerId& issuer) override;
  Status Abandon(const ca::IssuerId& issuer, const ca::Serial& serial, Time at) override;
  Status Revoke(const ca::IssuerId& issuer, const ca::Serial& serial, ca::Reason reason,
                Time at) override;
  Result<uint64_t> NextCrlNumber(const ca::IssuerId& issuer) override;
  Result<ca::KeyHistory> HistoryOf(const Sha256Digest& key) override;
  Result<ca::CertStatus> StatusOf(const ca::IssuerId& issuer, const ca::Serial& serial) override;

  // In sql_certificate_listing.cc.
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
  Database& database_;
  const std::string process_;
};

// RecordIntent and RecordCertificate within a transaction of the caller's. `worker`: whose intent.
Status AddIntent(Connection& connection, const ca::Ticket& ticket, const std::string& worker,
                 Time now);
Status AddCertificate(Connection& connection, const ca::Certificate& certificate,
                      const ca::IssuerId& issuer);
// Has this intent been recorded? Serials are drawn at random: who has it is who was given it.
Result<bool> IsIntended(Connection& connection, const ca::Ticket& ticket);
// Was an intent with this reference ever recorded? Not for "".
Result<bool> HasHadIntent(Connection& connection, std::string_view reference);

// Columns state, revoked_at and reason as values.
Result<ca::SerialState> SerialStateFromInt(int64_t value);
Result<std::optional<ca::Revocation>> ReadRevocation(Query& row, int at_column, int reason_column);

}  // namespace agentca::storage
