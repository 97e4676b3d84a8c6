// Keeps what this CA issued to itself alive: OCSP delegate, TLS identity and the certificate of the
// first administrator are issued anew when a third of their life is left, when they are revoked, or
// when they no longer fit the configuration. A node that cannot issue takes up the delegate's
// certificate that another one issued.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "acme/cli/hierarchy.h"
#include "acme/cli/own_certificates.h"
#include "ca/crl_source.h"
#include "ca/responder.h"

namespace agentca::cli {

class Renewals {
 public:
  // References outlive it.
  struct Parts {
    const OwnCertificates* own;  // null: this node cannot issue
    Directory directory;
    ca::CertificateStore& store;
    const CaIdentity& issuer;
    ca::Responder& responder;
    std::shared_ptr<ca::Signer> ocsp_signer;  // null: another node answers
  };
  Renewals(Parts parts, const Clock& clock, std::vector<const ca::CrlSource*> crls);
  ~Renewals();  // stops the thread

  // One round: afterwards the responder has a delegate, if it is this node's to answer, and DIR/tls
  // holds a sound pair, if it is this node's to issue.
  Status RunOnce();
  // The end of the certificate that the responder has; the epoch when it has none.
  Time responds_until() const { return responds_until_.load(); }
  // A round each minute on a thread of its own; it also warns about CRLs that grow old.
  void Start(std::function<void()> on_new_tls);

 private:
  void Run();
  Status RenewOcsp(Time now);
  Result<ca::Certificate> OcspCertificate(Time now);
  Status CheckForeign(const ca::Certificate& delegate, Time now) const;
  Status RenewTls(Time now);
  Status RenewAdmin(Time now);
  void WarnAboutCrls(Time now) const;
  bool IsRevoked(const ca::Certificate& certificate) const;

  const Parts parts_;
  const Clock& clock_;
  const std::vector<const ca::CrlSource*> crls_;
  std::atomic<Time> responds_until_{Time{}};
  std::optional<ca::Serial> serving_ocsp_;  // used by one thread at a time: RunOnce, then Run
  std::function<void()> on_new_tls_;        // set before the thread starts
  std::mutex mutex_;                        // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::cli
