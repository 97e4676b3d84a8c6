// Keeps what this CA issued to itself alive: OCSP delegate (which the nodes share), TLS identity and
// the certificate of the first administrator are issued anew when a third of their life is left, when
// they are revoked, or when they no longer fit the configuration. A node that cannot issue takes up
// the delegate's certificate that another one issued.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "acme/cli/hierarchy.h"
#include "acme/cli/own_certificates.h"
#include "acme/cli/shared_delegate.h"
#include "ca/crl_source.h"

namespace agentca::cli {

class Renewals {
 public:
  // References outlive it.
  struct Parts {
    const OwnCertificates* own;  // null: this node cannot issue
    ca::CertificateStore& store;
    const ca::IssuerId& issuer;
    SharedDelegate& delegate;
  };
  Renewals(Parts parts, const Clock& clock, std::vector<const ca::CrlSource*> crls);
  ~Renewals();  // stops the thread

  // One round: afterwards the responder has a delegate, if it is this node's to answer, and DIR/tls
  // holds a sound pair, if it is this node's to issue.
  Status RunOnce();
  // A round each minute on a thread of its own; it also warns about CRLs that grow old. Twice a
  // second it looks for an OCSP delegate of another node.
  void Start(std::function<void()> on_new_tls);

 private:
  void Run();
  Status RenewTls(Time now);
  Status RenewAdmin(Time now);
  void FollowDelegate(Time now);
  void WarnAboutCrls(Time now) const;
  bool IsRevoked(const ca::Certificate& certificate) const;

  const Parts parts_;
  const Clock& clock_;
  const std::vector<const ca::CrlSource*> crls_;
  std::string complaint_;             // of the last look for a delegate; the thread's alone
  std::function<void()> on_new_tls_;  // set before the thread starts
  std::mutex mutex_;                  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::cli
