// Deletes what has been over for long enough: once for `agentca db prune`, hourly on the node that
// has the duty "prune".
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "acme/cli/config.h"
#include "acme/cli/sweeper.h"
#include "ca/leases.h"
#include "storage/open.h"

namespace agentca::cli {

// What was over before that may be deleted at `now`; nullopt: nothing ever. Certificates and
// revocations stay for as long as revocation lists name them.
std::optional<Time> PrunedBefore(storage::Prunable what, const RetentionConfig& retention,
                                 const ca::CrlSchedule& crl, Time now);
// In small transactions, until all is done or `go_on` says no between two of them. Returns how many
// rows it deleted, or would.
Result<size_t> Prune(storage::Maintenance& store, storage::Prunable what, Time before, bool dry_run,
                     const std::function<bool()>& go_on);

// The thread of a node. References outlive it; the destructor waits for the transaction under way.
class Pruner {
 public:
  static constexpr std::chrono::minutes kPeriod{60};
  // Not at once: a node that starts has more urgent things to do.
  static constexpr std::chrono::minutes kFirst{2};
  Pruner(const ca::Heartbeat& heartbeat, storage::Backend& backend, const Clock& clock,
         RetentionConfig retention, ca::CrlSchedule crl);
  ~Pruner() { stopping_ = true; }

 private:
  Status RunIfDue();
  Status RunOnce();

  storage::Backend& backend_;
  const Clock& clock_;
  const RetentionConfig retention_;
  const ca::CrlSchedule crl_;
  ca::Duty duty_;
  std::atomic<bool> stopping_{false};
  std::chrono::steady_clock::time_point due_;  // the thread's alone
  Sweeper sweeper_;                            // last: uses the rest
};

}  // namespace agentca::cli
