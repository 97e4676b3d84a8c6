// Takes up the full CRL of one issuer that another process publishes, without the key to sign one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ca/crl_source.h"
#include "ca/issuer.h"
#include "ca/public_key.h"
#include "ca/shared_documents.h"

namespace agentca::ca {

// Where the publisher leaves its list. Used by one thread at a time.
class CrlPlace {
 public:
  virtual ~CrlPlace() = default;
  // Another one whenever another list is there; cheap. kNotFound: there is none.
  virtual Result<std::string> Mark() = 0;
  virtual Result<Bytes> Read() = 0;
};
// A file that is replaced as by CrlPublisher.
std::unique_ptr<CrlPlace> MakeCrlFile(std::filesystem::path file);
// What the node that has the duty shares with all others. `documents` outlives it.
std::unique_ptr<CrlPlace> MakeCrlDocument(SharedDocuments& documents, const IssuerId& issuer);

// Thread-safe. Start() runs one thread, which looks at `place` each `period`; the destructor stops
// it. A list is taken up when the issuer's key signed it and its number is not below the one that
// is served (RFC 5280 §5.2.3); otherwise the old one stays, and the log says why, once.
class CrlFollower final : public CrlSource {
 public:
  CrlFollower(IssuerId issuer, PublicKey key, std::unique_ptr<CrlPlace> place,
              std::chrono::milliseconds period);
  ~CrlFollower() override;
  void Start();
  // One look, before Start. The error says why there is no other list than before.
  Status LookNow();
  std::shared_ptr<const PublishedCrl> current() const override;

 private:
  void Run();
  const IssuerId issuer_;
  const PublicKey key_;
  const std::unique_ptr<CrlPlace> place_;
  const std::chrono::milliseconds period_;
  std::string seen_;          // mark of the last list that was judged; of one thread at a time
  mutable std::mutex mutex_;  // guards current_, stopping_
  std::condition_variable wake_;
  std::shared_ptr<const PublishedCrl> current_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::ca
