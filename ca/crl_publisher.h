// Keeps one issuer's full CRL fresh: on a timer of its own even when nothing was revoked, and at
// once when something was. Published bytes were parsed and verified as a relying party would.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "ca/base/clock.h"
#include "ca/certificate_store.h"
#include "ca/clock_guard.h"
#include "ca/crl_source.h"

namespace agentca::ca {

struct CrlSchedule {
  Seconds lifetime{24 * 3600};      // nextUpdate − thisUpdate
  Seconds interval{3600};           // re-signed at least this often
  Seconds keep_expired{48 * 3600};  // an expired entry stays this long: two more periods
};

// Thread-safe. Start() runs one thread; the destructor stops it.
class CrlPublisher final : public CrlSource {
 public:
  // `issuer_info.crl_url` is not used. `file` is replaced atomically (write, fsync, rename); an
  // existing valid file is served until the first publication. References must outlive this.
  CrlPublisher(const IssuerInfo& issuer, Signer& signer, CertificateStore& store,
               const Clock& clock, CrlSchedule schedule, std::filesystem::path file);
  ~CrlPublisher() override;
  const IssuerId& issuer_id() const { return issuer_.id; }
  void Start();
  // One synchronous publication. Refuses (kInternal) when the clock runs backwards. The list that
  // follows one of the future, which a clock made that had leapt ahead, has the higher number and
  // the earlier thisUpdate.
  Status PublishNow();
  // Returns at once; a publication that starts after this call follows promptly. Calls coalesce.
  void RequestPublication();
  // Alarm levels are in `agentca status`.
  std::shared_ptr<const PublishedCrl> current() const override;

 private:
  Result<uint64_t> NextNumber(const PublishedCrl* last);
  Result<PublishedCrl> Make(uint64_t number, Time now);
  Status PublishGuarded();
  bool Due() const;                            // call with mutex_
  std::chrono::milliseconds UntilDue() const;  // call with mutex_
  void Run();
  const IssuerInfo issuer_;
  Signer& signer_;
  CertificateStore& store_;
  const Clock& clock_;
  ClockGuard guard_;
  const CrlSchedule schedule_;
  const std::filesystem::path file_;
  std::mutex publish_mutex_;  // one publication at a time
  mutable std::mutex mutex_;  // guards current_, requested_, stopping_
  std::condition_variable wake_;
  std::shared_ptr<const PublishedCrl> current_;
  bool requested_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentca::ca
