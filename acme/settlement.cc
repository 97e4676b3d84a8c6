#include "acme/settlement.h"

#include <algorithm>

#include "acme/order_state.h"
#include "ca/base/log.h"

namespace agentca::acme {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{30'000};

// The order is settled, by whomever, or is not ours: nothing is left to do.
bool IsOver(Code code) { return code == Code::kConflict || code == Code::kNotFound; }

}  // namespace

Settlement::Settlement(Store& store, ca::CertificateStore& certificates)
    : store_(store), certificates_(certificates), tasks_(1) {}

bool Settlement::Claim(const OrderId& id) {
  std::lock_guard lock(mutex_);
  return claimed_.insert(id).second;
}

void Settlement::Release(const OrderId& id) {
  std::lock_guard lock(mutex_);
  claimed_.erase(id);
}

bool Settlement::Conclude(const OrderId& id, const Error& otherwise) {
  return Persist(
      id, [this, id, otherwise] { return TryConclude(id, otherwise); }, kFirstPause);
}

Status Settlement::TryConclude(const OrderId& id, const Error& otherwise) {
  AGENTCA_ASSIGN(const OrderView view, store_.FindOrder(id));
  // BeginFinalize had no effect after all, or the order is settled.
  if (StatusOf(view.order, view.authorizations, Time{}) != OrderStatus::kProcessing) return {};

  const auto record = certificates_.FindByReference(id);
  if (!record.ok() && record.error().code != Code::kNotFound) return record.error();
  if (record.ok() && record->state == ca::SerialState::kIssued) {
    return store_.FinishOrder(id, record->serial);
  }
  return store_.FinishOrder(id, otherwise);
}

bool Settlement::Persist(const OrderId& id, std::function<Status()> attempt, milliseconds pause) {
  const Status status = attempt();
  if (status.ok() || IsOver(status.error().code)) {
    Release(id);
    return true;
  }
  Log(Level::kError, "an order could not be settled yet",
      {{"order", id}, {"detail", status.error().detail}});
  tasks_.RunAfter(pause, [this, id, attempt = std::move(attempt), pause] {
    Persist(id, attempt, std::min(pause * 2, kLongestPause));
  });
  return false;
}

void Settlement::Insist(const std::string& what, std::function<Status()> attempt) {
  Insist(what, std::move(attempt), kFirstPause);
}

void Settlement::Insist(const std::string& what, std::function<Status()> attempt,
                        milliseconds pause) {
  const Status status = attempt();
  if (status.ok()) return;
  const Code code = status.error().code;
  const bool may_pass = code == Code::kUnavailable || code == Code::kInternal;
  Log(Level::kError, may_pass ? "something could not be done yet" : "something was given up",
      {{"what", what}, {"detail", status.error().detail}});
  if (!may_pass) return;
  tasks_.RunAfter(pause, [this, what, attempt = std::move(attempt), pause] {
    Insist(what, attempt, std::min(pause * 2, kLongestPause));
  });
}

Error InterruptedOrder() {
  return {Code::kUnavailable, "the issuance was interrupted; make a new order"};
}

}  // namespace agentca::acme
