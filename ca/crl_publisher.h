// Keeps one issuer's full CRL fresh: on a timer of its own even when nothing was revoked, and at
// once when something was. Published bytes were parsed and verified as a relying party would.
//
// Of the nodes of one store one makes the lists, the one that has the duty; all serve the newest. A
// list is put in the place of the one before, which its maker saw before it read what is revoked: so
// the higher number never knows less, even if two nodes think that they have the duty.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "ca/base/clock.h"
#include "ca/certificate_store.h"
#include "ca/clock_guard.h"
#include "ca/crl_source.h"
#include "ca/leases.h"
#include "ca/shared_documents.h"

namespace agentca::ca {

struct CrlSchedule {
  Seconds lifetime{24 * 3600};      // nextUpdate − thisUpdate
  Seconds interval{3600};           // re-signed at least this often
  Seconds keep_expired{48 * 3600};  // an expired entry stays this long: two more periods
};

// Thread-safe. Start() runs one thread; the destructor stops it.
class CrlPublisher final : public CrlSource {
 public:
  // How long a list of another node stays unknown, apart from the time to fetch and verify it.
  static constexpr std::chrono::milliseconds kLookPeriod{500};

  struct Shared {
    CertificateStore& certificates;
    Leases& leases;
    SharedDocuments& documents;
  };
  // `issuer_info.crl_url` is not used. `file` is replaced atomically (write, fsync, rename); an
  // existing valid file is served until there is a newer list. References must outlive this.
  CrlPublisher(const IssuerInfo& issuer, Signer& signer, Shared shared, const Clock& clock,
               CrlSchedule schedule, std::filesystem::path file);
  ~CrlPublisher() override;
  const IssuerId& issuer_id() const { return issuer_.id; }
  // Returns when the newest list in the store is served, if the store is there.
  void Start();
  // One synchronous publication, whoever has the duty. Refuses (kInternal) when the clock runs
  // backwards. The list that follows one of the future, which a clock made that had leapt ahead,
  // has the higher number and the earlier thisUpdate. kConflict: another node published meanwhile.
  Status PublishNow();
  // Serves the newest list of any node. kInternal: that is not one of this issuer's with the number
  // that it should have; what was served stays.
  Status Adopt();
  // Returns at once; a publication that starts after this call follows promptly, if this node has
  // the duty. Calls coalesce.
  void RequestPublication();
  // Alarm levels are in `agentca status`.
  std::shared_ptr<const PublishedCrl> current() const override;

 private:
  Result<uint64_t> NextNumber(const PublishedCrl* last);
  Result<PublishedCrl> Make(uint64_t number, Time now);
  Status AdoptNewest();  // with publish_mutex_
  Status Publish();      // with publish_mutex_
  void Serve(PublishedCrl crl, std::string_view how);
  bool Due() const;  // with mutex_
  void Look(Duty& duty, bool may_hold);
  void Run();
  const IssuerInfo issuer_;
  const std::string name_;  // of duty and document
  Signer& signer_;
  const Shared shared_;
  const Clock& clock_;
  ClockGuard guard_;
  const CrlSchedule schedule_;
  const std::filesystem::path file_;
  std::mutex publish_mutex_;  // one publication or adoption at a time; guards seen_
  int64_t seen_ = 0;          // version of the document in the store that was looked at last
  mutable std::mutex mutex_;  // guards current_, requested_, stopping_
  std::condition_variable wake_;
  std::shared_ptr<const PublishedCrl> current_;
  bool requested_ = false;
  bool stopping_ = false;
  // The thread's alone.
  bool on_duty_ = false;
  std::string complaint_;  // of the last look
  std::thread thread_;
};

}  // namespace agentca::ca
