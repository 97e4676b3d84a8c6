// Challenges under way: verified on threads of their own, tried again, settled in the store.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "acme/links.h"
#include "acme/service.h"
#include "acme/task_queue.h"

namespace agentca::acme {

struct Verifiers {
  std::vector<std::unique_ptr<Verifier>> general;
  std::vector<std::unique_ptr<Verifier>> of_agents;  // for names in the agents zone, and only these
};

// Thread-safe. A validation that was accepted is settled, whatever becomes of store and audit log
// meanwhile: it waits for them, with growing pauses. Only the end of the process interrupts it, and
// then another node takes it up, or the next start.
class ValidationQueue {
 public:
  // References outlive this. The destructor finishes verifications under way.
  ValidationQueue(Memory memory, World world, Verifiers verifiers, Links links,
                  ValidationOptions options);
  ~ValidationQueue();

  bool Offers(ChallengeType type) const;  // there is a verifier for it, outside the agents zone
  std::chrono::milliseconds answer_wait() const { return options_.answer_wait; }

  // A place in the queue, taken before the challenge begins, so that none begins in vain. Freed
  // with the last copy. An account has its share of the places, and of the threads: a name whose
  // server never answers occupies one for long.
  using Place = std::shared_ptr<void>;
  Place TryReserve(const AccountId& account);  // null: full
  // `validation.authorization.attempt` is processing. Recovery may pass no place. What is returned
  // becomes ready when the validation is settled or dropped; it holds nothing.
  std::future<void> Start(PendingValidation validation, Place place);
  // For a challenge of which the store could not say whether it began: starts it if it did.
  void StartIfBegun(const Authorization& authorization, std::string thumbprint, Place place);
  // Started and neither settled nor dropped.
  bool IsUnderWay(const AuthorizationId& id) const { return under_way_->Has(id); }

 private:
  struct Job;
  class Places;
  // Ids of jobs. Thread-safe.
  class UnderWay {
   public:
    void Add(const AuthorizationId& id) {
      std::lock_guard lock(mutex_);
      ids_.insert(id);
    }
    void Remove(const AuthorizationId& id) {
      std::lock_guard lock(mutex_);
      ids_.erase(ids_.find(id));
    }
    bool Has(const AuthorizationId& id) const {
      std::lock_guard lock(mutex_);
      return ids_.contains(id);
    }

   private:
    mutable std::mutex mutex_;                    // guards ids_
    std::unordered_multiset<AuthorizationId> ids_;
  };
  const Verifier* VerifierOf(const Job& job) const;
  Result<Proof> RunVerifier(const Verifier& verifier, Job& job, Time now);
  bool MayTryAgain(const Job& job, Code code) const;
  void Verify(const std::shared_ptr<Job>& job);
  void TryAgain(const std::shared_ptr<Job>& job, const Error& error);
  void Settle(const std::shared_ptr<Job>& job);
  void LookAgain(const Authorization& authorization, const std::string& thumbprint,
                 const Place& place, std::chrono::milliseconds pause);
  Status Record(Job& job);  // audit log, then store

  const Memory memory_;
  const World world_;
  const Verifiers verifiers_;
  const Links links_;
  const ValidationOptions options_;
  const std::shared_ptr<Places> places_;
  const std::shared_ptr<UnderWay> under_way_ = std::make_shared<UnderWay>();
  TaskQueue tasks_;  // last: its threads use the rest
};

}  // namespace agentca::acme
