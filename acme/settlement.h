// Every order that began to finalize settles: with its certificate or with an error, now or as soon
// as the store is back.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "acme/store.h"
#include "acme/task_queue.h"
#include "ca/certificate_store.h"

namespace agentca::acme {

// Thread-safe. The destructor drops what waits; the sweep of another node or of the next start takes
// it up.
class Settlement {
 public:
  Settlement(Store& store, ca::CertificateStore& certificates);

  // Marks an order as being finalized by this process, before BeginFinalize, until it settles or
  // `Release`. False: it is marked already.
  bool Claim(const OrderId& id);
  void Release(const OrderId& id);

  // For a claimed order of which it is not certain what became: FinishOrder with its certificate if
  // one was recorded for it, with `otherwise` if it is processing without one, not at all if it is
  // not. Now if possible, else in the background. True: done now.
  bool Conclude(const OrderId& id, const Error& otherwise);
  // Anything else that must come about, now or in the background until it does. What `attempt`
  // refers to outlives this; an error other than kUnavailable and kInternal gives up.
  void Insist(const std::string& what, std::function<Status()> attempt);

 private:
  void Insist(const std::string& what, std::function<Status()> attempt,
              std::chrono::milliseconds pause);
  Status TryConclude(const OrderId& id, const Error& otherwise);
  // Runs `attempt` until it succeeds or has nothing more to do; then releases the order.
  bool Persist(const OrderId& id, std::function<Status()> attempt, std::chrono::milliseconds pause);

  Store& store_;
  ca::CertificateStore& certificates_;
  std::mutex mutex_;  // guards claimed_
  std::unordered_set<OrderId> claimed_;
  TaskQueue tasks_;  // last: its thread uses the rest
};

// RFC 8555 has no type for it: serverInternal with a detail that tells what to do.
Error InterruptedOrder();

}  // namespace agentca::acme
