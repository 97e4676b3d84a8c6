// The certificate of the OCSP responder, which all nodes of a store share: they have its key. One
// node renews it, the one that has the duty "ocsp/" and the issuer's id; the others adopt it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "acme/cli/hierarchy.h"
#include "acme/cli/own_certificates.h"
#include "ca/certificate_store.h"
#include "ca/leases.h"
#include "ca/responder.h"
#include "ca/shared_documents.h"

namespace agentca::cli {

// Used by one thread at a time. References outlive it.
class SharedDelegate {
 public:
  struct Parts {
    const OwnCertificates& own;
    ca::CertificateStore& certificates;
    ca::Leases& leases;
    ca::SharedDocuments& documents;
    const CaIdentity& issuer;
    ca::Responder& responder;
    std::shared_ptr<ca::Signer> signer;
  };
  explicit SharedDelegate(Parts parts);

  // Serves what another node made. kInternal: that is no delegate of this issuer with our key.
  Status Follow(Time now);
  // The same; and what is served is made anew when a third of its life is left or when it is
  // revoked: by this node if it has the duty, and also if it would have nothing to serve otherwise,
  // since two delegates do no harm. Afterwards the responder has one.
  Status Renew(Time now);

 private:
  bool IsRevoked(const ca::Certificate& certificate) const;
  bool IsGood(const ca::Certificate& certificate, Time now) const;
  Status Judge(const ca::Certificate& certificate, Time now) const;
  Result<ca::Certificate> Candidate(Time now) const;
  Status Share(const ca::Certificate& certificate, Time now);
  void Serve(const ca::Certificate& certificate);

  const Parts parts_;
  const std::string name_;  // of duty and document
  ca::Duty duty_;
  std::optional<ca::Certificate> serving_;
  bool shared_ = false;  // what is served is the document
  int64_t seen_ = 0;     // version of the document that was looked at last
};

}  // namespace agentca::cli
