// Serves the full CRL of one issuer that another node publishes, without the key to sign one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ca/crl_source.h"
#include "ca/issuer.h"
#include "ca/public_key.h"
#include "ca/shared_documents.h"

namespace agentca::ca {

// Thread-safe. Start() runs one thread, which looks at the shared document each `period`; the
// destructor stops it. A list is taken up when the issuer's key signed it and its number is that of
// the document and not below the one that is served (RFC 5280 §5.2.3); otherwise the old one stays,
// and the log says why, once.
class CrlFollower final : public CrlSource {
 public:
  // `documents` outlives it.
  CrlFollower(const IssuerId& issuer, PublicKey key, SharedDocuments& documents,
              std::chrono::milliseconds period);
  ~CrlFollower() override;
  void Start();
  // One look, before Start. kNotFound: there is no list yet; else why there is no other than before.
  Status LookNow();
  std::shared_ptr<const PublishedCrl> current() const override;

 private:
  void Run();
  const std::string name_;  // of the document
  const PublicKey key_;
  SharedDocuments& documents_;
  const std::chrono::milliseconds period_;
  int64_t seen_ = 0;          // version that was judged last; of one thread at a time
  mutable std::mutex mutex_;  // guards current_, stopping_
  std::condition_variable wake_;
  std::shared_ptr<const PublishedCrl> current_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::ca
