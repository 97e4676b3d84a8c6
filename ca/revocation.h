// Revocation as a line: audit → store → OCSP cache → CRL. Also learns of revocations that another
// process on the same store made.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ca/audit.h"
#include "ca/certificate_store.h"
#include "ca/crl_publisher.h"
#include "ca/responder.h"

namespace agentca::ca {

// Thread-safe.
class Revoker {
 public:
  Revoker(CertificateStore& store, ChainedLog& audit);
  // `requested_by` goes to the audit log: "account …", "certificate key", "operator". kNotFound and
  // kAlreadyRevoked leave no event; a store that fails after the event leaves a second one.
  Status Revoke(const IssuerId&, const Serial&, Reason, std::string_view requested_by, Time now);

 private:
  CertificateStore& store_;
  ChainedLog& audit_;
};

// Watches RevocationsSince each `period` on a thread of its own, evicts OCSP answers and asks for a
// CRL. `Nudge` makes it look at once (after a revocation by this process). The destructor stops it.
class RevocationWatcher {
 public:
  RevocationWatcher(CertificateStore& store, Responder& responder,
                    std::vector<CrlPublisher*> publishers, std::vector<IssuerId> issuer_ids,
                    std::chrono::milliseconds period);
  ~RevocationWatcher();
  void Nudge();

 private:
  Status Begin();
  Status Look();
  void Run();
  CertificateStore& store_;
  Responder& responder_;
  const std::vector<CrlPublisher*> publishers_;  // publishers_[i] serves issuer_ids_[i]
  const std::vector<IssuerId> issuer_ids_;
  const std::chrono::milliseconds period_;
  std::mutex mutex_;  // guards nudged_, stopping_
  std::condition_variable wake_;
  bool nudged_ = false;
  bool stopping_ = false;
  std::optional<int64_t> last_;  // the thread's alone: sequence of the last event seen
  std::thread thread_;
};

}  // namespace agentca::ca
