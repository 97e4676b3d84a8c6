#include "acme/validation.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <unordered_map>

#include "acme/attestation.h"
#include "acme/problem.h"
#include "ca/base/log.h"

namespace agentca::acme {
namespace {

using std::chrono::milliseconds;

// Of places and threads, the part that one account may have.
constexpr size_t kPlacesShare = 16;
constexpr size_t kThreadsShare = 4;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{30'000};

// Causes that time may cure (RFC 8555 §8.2). A TXT record may still be on its way to our resolver.
bool MayPass(Code code, ChallengeType type) {
  return code == Code::kConnection || code == Code::kDns ||
         (code == Code::kIncorrectResponse && type == ChallengeType::kDns01);
}

constexpr std::string_view kEmptyObject = "{}";

// Between tries, however many.
constexpr milliseconds kLongestRetryDelay{5 * 60'000};

const Verifier* Find(const std::vector<std::unique_ptr<Verifier>>& verifiers, ChallengeType type) {
  const auto found = std::find_if(verifiers.begin(), verifiers.end(), [type](const auto& each) {
    return each->name() == ToString(type);
  });
  return found == verifiers.end() ? nullptr : found->get();
}

}  // namespace

struct ValidationQueue::Job {
  Job(Authorization of, std::shared_ptr<UnderWay> others)
      : authorization(std::move(of)),
        type(authorization.attempt->type),
        under_way(std::move(others)) {
    under_way->Add(authorization.id);
  }
  ~Job() { under_way->Remove(authorization.id); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Authorization authorization;
  const ChallengeType type;
  const std::shared_ptr<UnderWay> under_way;
  std::string key_authorization;
  std::string payload;  // of the response
  Place place;
  int tries = 0;
  Result<Proof> outcome = Error{};  // of the last try, disclosed
  bool audited = false;
  milliseconds pause = kFirstPause;  // before the next attempt to settle
  std::promise<void> settled;
};

// Counts the places taken, in all and by account. Thread-safe.
class ValidationQueue::Places {
 public:
  explicit Places(size_t limit)
      : limit_(limit), limit_per_account_(std::max<size_t>(1, limit / kPlacesShare)) {}
  bool Take(const AccountId& account) {
    std::lock_guard lock(mutex_);
    if (taken_ >= limit_) return false;
    size_t& mine = by_account_[account];  // at least one fits, so no zero stays behind
    if (mine >= limit_per_account_) return false;
    ++mine;
    ++taken_;
    return true;
  }
  void Free(const AccountId& account) {
    std::lock_guard lock(mutex_);
    --taken_;
    const auto mine = by_account_.find(account);
    if (--mine->second == 0) by_account_.erase(mine);
  }

 private:
  const size_t limit_, limit_per_account_;
  std::mutex mutex_;  // guards the rest
  size_t taken_ = 0;
  std::unordered_map<AccountId, size_t> by_account_;  // no zeros
};

ValidationQueue::ValidationQueue(Memory memory, World world, Verifiers verifiers, Links links,
                                 ValidationOptions options)
    : memory_(memory),
      world_(world),
      verifiers_(std::move(verifiers)),
      links_(std::move(links)),
      options_(options),
      places_(std::make_shared<Places>(options.queue)),
      tasks_(options.threads, options.threads / kThreadsShare) {}

ValidationQueue::~ValidationQueue() = default;

const Verifier* ValidationQueue::VerifierOf(const Job& job) const {
  return Find(job.authorization.drop_key ? verifiers_.of_agents : verifiers_.general, job.type);
}

bool ValidationQueue::Offers(ChallengeType type) const {
  return Find(verifiers_.general, type) != nullptr;
}

ValidationQueue::Place ValidationQueue::TryReserve(const AccountId& account) {
  if (!places_->Take(account)) return nullptr;
  return {places_.get(), [places = places_, account](void*) { places->Free(account); }};
}

std::future<void> ValidationQueue::Start(PendingValidation validation, Place place) {
  auto job = std::make_shared<Job>(std::move(validation.authorization), under_way_);
  job->key_authorization = job->authorization.token + "." + validation.thumbprint;  // §8.1
  job->payload = job->authorization.attempt->payload;
  if (job->payload.empty()) job->payload = kEmptyObject;
  job->place = std::move(place);
  auto settled = job->settled.get_future();
  tasks_.Run([this, job] { Verify(job); }, job->authorization.account_id);
  return settled;
}

void ValidationQueue::StartIfBegun(const Authorization& authorization, std::string thumbprint,
                                   Place place) {
  LookAgain(authorization, thumbprint, place, kFirstPause);
}

void ValidationQueue::LookAgain(const Authorization& authorization, const std::string& thumbprint,
                                const Place& place, milliseconds pause) {
  tasks_.RunAfter(
      pause,
      [=, this] {
        auto found = memory_.store.FindAuthorization(authorization.id);
        if (found.ok()) {
          if (found->attempt && found->attempt->state == AttemptState::kProcessing)
            (void)Start({*std::move(found), thumbprint}, place);
        } else if (found.error().code != Code::kNotFound) {
          LookAgain(authorization, thumbprint, place, std::min(pause * 2, kLongestPause));
        }
      },
      authorization.account_id);
}

Result<Proof> ValidationQueue::RunVerifier(const Verifier& verifier, Job& job, Time now) {
  if (job.authorization.drop_key) {  // evidence may have been dropped since
    auto found = memory_.store.FindAuthorization(job.authorization.id);
    if (!found.ok()) return Error{Code::kUnavailable, found.error().detail};
    job.authorization.attestation = std::move(found->attestation);
  }
  const auto& dropped = job.authorization.attestation;
  const std::string audience =
      links_.Challenge(job.authorization.id, ChallengeType::kAgentAttest01);
  const Evidence evidence{job.authorization.identifier,
                          job.authorization.token,
                          job.key_authorization,
                          AsBytes(job.payload),
                          now,
                          audience,
                          dropped ? &*dropped : nullptr};
  try {  // a last line: verifiers catch what they raise
    return verifier.Verify(evidence);
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("verifier threw: ") + e.what()};
  }
}

bool ValidationQueue::MayTryAgain(const Job& job, Code code) const {
  // The keys of an issuer, the registry: nothing that the client could do better in a new order.
  if (code == Code::kUnavailable && job.authorization.drop_key) {
    return world_.clock.Now() < job.authorization.expires_at;
  }
  return MayPass(code, job.type) && job.tries < options_.attempts;
}

void ValidationQueue::Verify(const std::shared_ptr<Job>& job) {
  const Verifier* verifier = VerifierOf(*job);
  if (verifier == nullptr) {  // switched off since the challenge began
    job->outcome = Error{Code::kUnauthorized, "this challenge type is no longer offered"};
    return Settle(job);
  }
  job->outcome = RunVerifier(*verifier, *job, world_.clock.Now());
  ++job->tries;

  if (job->outcome.ok()) {
    const auto& proven = job->outcome->proven;
    if (std::find(proven.begin(), proven.end(), job->authorization.identifier) == proven.end()) {
      job->outcome = Error{Code::kUnauthorized, "the challenge did not prove this identifier"};
    }
    return Settle(job);
  }
  const Error error = Disclose(job->outcome.error(), world_.random);
  job->outcome = error;
  if (MayTryAgain(*job, error.code)) return TryAgain(job, error);
  Settle(job);
}

void ValidationQueue::TryAgain(const std::shared_ptr<Job>& job, const Error& error) {
  const Status recorded = memory_.store.RecordRetry(job->authorization.id, error);
  if (!recorded.ok()) {
    if (recorded.error().code == Code::kConflict) return;  // deactivated or taken up meanwhile
    Log(Level::kWarning, "a validation's retry was not recorded",
        {{"authorization", job->authorization.id}, {"detail", recorded.error().detail}});
  }
  const auto delay = std::min<milliseconds>(
      options_.retry_delay * (1 << std::min(job->tries - 1, 20)), kLongestRetryDelay);
  tasks_.RunAfter(
      delay, [this, job] { Verify(job); }, job->authorization.account_id);
}

Status ValidationQueue::Record(Job& job) {
  const Time now = world_.clock.Now();
  const Authorization& authorization = job.authorization;
  const std::string result =
      job.outcome.ok() ? "valid" : std::string(KindOf(job.outcome.error().code).type);
  const std::string identifier =
      std::string(ToString(authorization.identifier.type)) + ":" + authorization.identifier.value;
  if (!job.audited) {
    if (job.outcome.ok() && job.outcome->attestation && !authorization.attestation) {
      AGENTCA_TRY(AuditAttestation(memory_.audit, *job.outcome->attestation,
                                   "authorization " + authorization.id, now));
    }
    AGENTCA_TRY(memory_.audit.Append("validation",
                                     {{"account", authorization.account_id},
                                      {"authorization", authorization.id},
                                      {"identifier", identifier},
                                      {"challenge", ToString(job.type)},
                                      {"result", result}},
                                     now));
    job.audited = true;
  }
  return memory_.store.FinishChallenge(authorization.id, job.outcome, now);
}

void ValidationQueue::Settle(const std::shared_ptr<Job>& job) {
  const Status recorded = Record(*job);
  const Code code = recorded.ok() ? Code::kConflict : recorded.error().code;
  // Settled now, settled already (an earlier call persisted although it failed), deactivated, taken
  // up by another node, or gone.
  if (code == Code::kConflict || code == Code::kNotFound) return job->settled.set_value();
  Log(Level::kError, "a validation could not be settled yet",
      {{"authorization", job->authorization.id}, {"detail", recorded.error().detail}});
  const milliseconds pause = job->pause;
  job->pause = std::min(pause * 2, kLongestPause);
  tasks_.RunAfter(
      pause, [this, job] { Settle(job); }, job->authorization.account_id);
}

}  // namespace agentca::acme
