// The certificate of the OCSP responder, which all nodes of a store share: they have its key. One
// node renews it, the one that has the duty; the others adopt it.
#pragma once

#include <atomic>
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

// Used by one thread at a time, but for responds_until. References outlive it.
class SharedDelegate {
 public:
  struct Parts {
    const OwnCertificates* own;  // null: this node cannot issue, and only adopts
    const Directory& directory;
    ca::CertificateStore& certificates;
    ca::Leases& leases;
    ca::SharedDocuments& documents;
    const CaIdentity& issuer;
    ca::Responder& responder;
    std::shared_ptr<ca::Signer> signer;  // null: this node does not answer
  };
  explicit SharedDelegate(Parts parts);

  // Serves what another node made. kInternal: that is no delegate of this issuer with our key.
  Status Follow(Time now);
  // The same; and what is served is made anew when a third of its life is left or when it is
  // revoked: by this node if it has the duty, and also if it would have nothing to serve otherwise,
  // since two delegates do no harm. A node that has not the key does the same for those that have,
  // if its DIR has a certificate for it. Afterwards the responder has one, if this node answers.
  // kUnavailable: this node cannot issue, and there is none yet.
  Status Renew(Time now);
  // The end of what the responder has; the epoch when it has nothing.
  Time responds_until() const { return responds_until_.load(); }

 private:
  bool IsRevoked(const ca::Certificate& certificate) const;
  bool IsGood(const ca::Certificate& certificate, Time now) const;
  Status Judge(const ca::Certificate& certificate, Time now) const;
  Status Make(Time now);
  Status AdoptKept(Time now);
  Result<ca::Certificate> Candidate(Time now) const;
  Status Share(const ca::Certificate& certificate, Time now);
  void Serve(const ca::Certificate& certificate);

  const Parts parts_;
  // Whom to certify and to follow; of a node that does not answer, the key of the certificate in
  // DIR at its start, and nothing that the store says: who can write there would choose it.
  const std::optional<ca::PublicKey> key_;
  const std::string name_;  // of duty and document
  ca::Duty duty_;
  std::optional<ca::Certificate> serving_;
  std::atomic<Time> responds_until_{Time{}};
  bool shared_ = false;  // what is served is the document
  int64_t seen_ = 0;     // version of the document that was looked at last
};

}  // namespace agentca::cli
