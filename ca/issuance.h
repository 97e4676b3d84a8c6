// The one way a certificate comes into being, for ACME orders and for the CA's own certificates:
// Prepare → RecordIntent and audit, at the same time → Issue (signs and verifies) →
// RecordCertificate and audit, at the same time.
#pragma once

#include "ca/audit.h"
#include "ca/certificate_store.h"
#include "ca/issuer.h"

namespace agentca::ca {

// Thread-safe. References must outlive it.
class Issuance {
 public:
  Issuance(const Issuer& issuer, CertificateStore& store, ChainedLog& audit, Random& random,
           uint8_t serial_prefix);
  const Issuer& issuer() const { return issuer_; }
  // On failure after the intent was recorded the serial is abandoned and never signed again. A
  // reused serial (kConflict from RecordIntent) is retried with a new one.
  Result<Certificate> Issue(const Profile& profile, const CertificateRequest& request,
                            Time now) const {
    return Issue(profile, request, now, store_);
  }
  // The same, with both marks made in a journal over the same store.
  Result<Certificate> Issue(const Profile&, const CertificateRequest&, Time now, Journal&) const;

 private:
  struct Intent;  // a ticket, and what the audit log says of it
  Result<Intent> PrepareRecorded(const Profile&, const CertificateRequest&, Time now,
                                 Journal&) const;
  ChainedLog::Pending BeginAudit(std::string_view event, const Intent&, Time now) const;
  bool Abandon(const Serial&, std::string_view reference, const std::string& why, Time now) const;

  const Issuer& issuer_;
  CertificateStore& store_;
  ChainedLog& audit_;
  Random& random_;
  const uint8_t serial_prefix_;
};

// Abandons the intents that somebody left behind and audits each. What a live process is about to
// sign may be among them when it stood still: then it records no certificate.
Status AbandonInterrupted(CertificateStore& store, ChainedLog& audit, WorkScope scope, Time now);

}  // namespace agentca::ca
