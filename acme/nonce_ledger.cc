#include "acme/nonce_ledger.h"

#include <algorithm>
#include <exception>
#include <string>

#include "ca/base/log.h"

namespace agentca::acme {
namespace {

constexpr size_t kMaxBatch = 64;
constexpr size_t kPruneLimit = 5'000;  // in one transaction: spendings hardly wait for it
constexpr int kMaxPrunes = 200;        // at a time; what is left is due with the next

}  // namespace

Time MintedAt(const SpentNonce& nonce) {
  int64_t seconds = 0;
  for (size_t i = 0; i < kMintedOctets; ++i) seconds = seconds << 8 | nonce[i];
  return Time(Seconds(seconds));
}

NonceLedger::NonceLedger(NonceStore& store, const Clock& clock,
                         std::chrono::milliseconds look_period)
    : store_(store),
      clock_(clock),
      look_period_(look_period),
      group_(kMaxBatch),
      pruned_at_(clock.Uptime() - kPrunePeriod) {}

Result<std::shared_ptr<NonceLedger>> NonceLedger::Open(NonceStore& store, const Clock& clock,
                                                       std::chrono::milliseconds look_period) {
  AGENTCA_ASSIGN(const NonceHorizon horizon, store.Horizon());
  std::shared_ptr<NonceLedger> ledger(new NonceLedger(store, clock, look_period));
  ledger->Note(horizon);
  ledger->LookLater();
  return ledger;
}

void NonceLedger::LookLater() {
  thread_.RunAfter(look_period_, [this] {
    Look();
    LookLater();
  });
}

Result<bool> NonceLedger::Spend(const SpentNonce& nonce, NonceEpoch epoch) {
  Waiting mine{.nonce = nonce};
  group_.Run(mine, [this](const std::vector<Waiting*>& batch) { Settle(batch); });
  if (!mine.first.ok()) return mine.first.error();
  return *mine.first && epoch == mine.horizon.epoch &&
         MintedAt(nonce) >= mine.horizon.pruned_before;
}

void NonceLedger::Settle(const std::vector<Waiting*>& batch) {
  Status spent;
  try {
    spent = SpendTogether(batch);
  } catch (const std::exception& exception) {  // memory; the leader works for others, too
    spent = Error{Code::kInternal, std::string("nonces: ") + exception.what()};
  }
  if (spent.ok()) return;
  for (Waiting* each : batch) each->first = spent.error();
}

Status NonceLedger::SpendTogether(const std::vector<Waiting*>& batch) {
  std::vector<SpentNonce> nonces;
  nonces.reserve(batch.size());
  for (const Waiting* each : batch) nonces.push_back(each->nonce);
  AGENTCA_ASSIGN(const Spending spending, store_.SpendNonces(nonces));
  if (spending.first.size() != batch.size()) {
    return Error{Code::kInternal, "nonces: the store answers for another batch"};
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i]->first = bool{spending.first[i]};
    batch[i]->horizon = spending.horizon;
  }
  Note(spending.horizon);
  return {};
}

// Two who come back at the same time may note the older answer last. The next one mends that, and
// a nonce minted meanwhile is refused, not spent twice.
void NonceLedger::Note(const NonceHorizon& horizon) {
  epoch_ = horizon.epoch;
  pruned_before_ = horizon.pruned_before;
  fresh_ = true;
}

void NonceLedger::Look() {
  if (!fresh_.exchange(false)) {
    const auto horizon = store_.Horizon();
    if (!horizon.ok()) return;  // Spend and readyz speak of it
    Note(*horizon);
    fresh_ = false;
  }
  PruneIfDue();
}

void NonceLedger::PruneIfDue() {
  const std::lock_guard lock(pruning_);
  const Time before = clock_.Now() - kKeep;
  const Time horizon = pruned_before_;
  // Nobody's nonces would count until that time: this cannot wait.
  const bool wrong = horizon - before > kHorizonSlack;
  // A node whose clock is ahead thus spoils the others' nonces once a period, not all the time.
  const bool due = before - horizon >= kPrunePeriod && clock_.Uptime() - pruned_at_ >= kPrunePeriod;
  if (!wrong && !due) return;
  if (wrong) {
    Log(Level::kWarning, "nonces were pruned by a clock far ahead of this node's",
        {{"pruned before", ToRfc3339(horizon)}});
  }
  pruned_at_ = clock_.Uptime();
  for (int i = 0; i < kMaxPrunes; ++i) {
    const auto pruned = store_.PruneNonces(before, kPruneLimit);
    if (!pruned.ok()) {
      Log(Level::kWarning, "cannot prune nonces", {{"cause", pruned.error().detail}});
      return;
    }
    if (*pruned < kPruneLimit) break;
  }
  fresh_ = false;  // the next look sees what came of it
}

}  // namespace agentca::acme
