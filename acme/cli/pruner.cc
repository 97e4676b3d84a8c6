#include "acme/cli/pruner.h"

#include <algorithm>

#include "ca/base/log.h"

namespace agentca::cli {
namespace {

using std::chrono::steady_clock;
using storage::Prunable;

// Well within the life of a lease, so that the duty stays with one node.
constexpr std::chrono::milliseconds kLookPeriod{3'000};
// Clocks of nodes differ, and a list may be made with one that is slow.
constexpr Seconds kClocksDiffer{3600};

Seconds RetentionOf(Prunable what, const RetentionConfig& retention) {
  switch (what) {
    case Prunable::kOrders:
      return retention.orders;
    case Prunable::kGrants:
      return retention.grants;
    case Prunable::kCertificates:
    case Prunable::kRevocations:
      return retention.certificates;
    case Prunable::kAttestations:
      break;
  }
  return retention.attestations;
}

}  // namespace

std::optional<Time> PrunedBefore(Prunable what, const RetentionConfig& retention,
                                 const ca::CrlSchedule& crl, Time now) {
  Seconds kept = RetentionOf(what, retention);
  if (kept == Seconds(0)) return std::nullopt;
  if (what == Prunable::kCertificates || what == Prunable::kRevocations)
    kept = std::max(kept, crl.keep_expired + kClocksDiffer);
  return now - kept;
}

Result<size_t> Prune(storage::Maintenance& store, Prunable what, Time before, bool dry_run,
                     const std::function<bool()>& go_on) {
  size_t deleted = 0;
  storage::PruneCursor cursor;
  for (bool more = true; more && go_on();) {
    AGENTCA_ASSIGN(storage::PruneStep step, store.Prune(what, before, cursor, dry_run));
    deleted += step.deleted;
    more = step.more;
    cursor = std::move(step.next);
  }
  return deleted;
}

Pruner::Pruner(const ca::Heartbeat& heartbeat, storage::Backend& backend, const Clock& clock,
               RetentionConfig retention, ca::CrlSchedule crl)
    : backend_(backend),
      clock_(clock),
      retention_(retention),
      crl_(crl),
      duty_(backend.leases(), "prune"),
      due_(steady_clock::now() + kFirst),
      sweeper_(heartbeat, {{"prune", [this] { return RunIfDue(); }}}, kLookPeriod) {}

Status Pruner::RunIfDue() {
  if (backend_.maintenance() == nullptr || !duty_.Hold() || steady_clock::now() < due_) return {};
  due_ = steady_clock::now() + kPeriod;
  return RunOnce();
}

Status Pruner::RunOnce() {
  const Time now = clock_.Now();
  for (const Prunable what : storage::kPrunables) {
    const auto before = PrunedBefore(what, retention_, crl_, now);
    if (!before) continue;
    AGENTCA_ASSIGN(const size_t deleted, Prune(*backend_.maintenance(), what, *before, false,
                                               [this] { return !stopping_ && duty_.Hold(); }));
    if (deleted > 0)
      Log(Level::kInfo, "pruned the store",
          {{"what", storage::ToString(what)}, {"rows", std::to_string(deleted)}});
  }
  return {};
}

}  // namespace agentca::cli
