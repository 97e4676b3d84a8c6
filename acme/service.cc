#include "acme/service.h"

#include <algorithm>
#include <atomic>

#include "acme/agent_finalize.h"
#include "acme/challenge/agent_attest01.h"
#include "acme/context.h"
#include "acme/finalize.h"
#include "acme/routes.h"
#include "acme/task_queue.h"
#include "ca/base/log.h"

namespace agentca::acme {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{1'000};  // of orders that a human has decided
constexpr milliseconds kLongestPause{30'000};
// Of a dead node's work, in one transaction: the others shall have their share.
constexpr size_t kTakenAtOnce = 256;
// Once in so many rounds this process looks for work of its own that it does not know of. There is
// none, unless a store took in what it reported as failed and then called a repetition of it old.
constexpr unsigned kRoundsUntilOwn = 10;

}  // namespace

// In the order in which the parts need one another.
class Service::Core {
 public:
  Core(Memory memory, Authority authority, World world,
       std::vector<std::unique_ptr<Verifier>> verifiers, const Policy& policy, Links links,
       ValidationOptions validation)
      : served_(authority.agents),
        desk_(MakeDesk(served_.get(), policy, world.random)),
        nonces_(world.random),
        accounts_(memory.store),
        new_accounts_(policy.new_accounts_per_hour),
        new_orders_(policy.new_orders_per_hour),
        settlement_(memory.store, memory.certificates),
        validations_(memory, world, {std::move(verifiers), VerifiersOf(desk_.get())}, links,
                     validation),
        context_{memory,     std::move(authority), world,       policy,        std::move(links),
                 accounts_,  validations_,         settlement_, new_accounts_, new_orders_,
                 desk_.get()},
        router_(context_, nonces_) {}

  Router& router() { return router_; }

  // Claims are tried again as a whole: whatever of them this process works on is passed over.
  Status TakeOver(ca::WorkScope scope, size_t limit) {
    const Status orders = TakeOverOrders(scope, limit);
    const Status validations = TakeOverValidations(scope, limit);
    return orders.ok() ? validations : orders;
  }

  // What a claim that failed may have taken is this process's work, and will be nobody else's.
  Status TakeOverMore() {
    const bool own = ++rounds_ % kRoundsUntilOwn == 0;
    const Status status = unsure_.exchange(false) || own
                              ? TakeOver(ca::WorkScope::kOwnAndDead, SIZE_MAX)
                              : TakeOver(ca::WorkScope::kDead, kTakenAtOnce);
    if (!status.ok()) unsure_ = true;
    return status;
  }

  Status Decided(const OrderId& id) {
    AGENTCA_TRY(CheckDecided(context_, id));
    const Status status = TakeOverOrders(ca::WorkScope::kDead, kTakenAtOnce);
    if (!status.ok()) unsure_ = true;
    return status;
  }

 private:
  static std::unique_ptr<AgentDesk> MakeDesk(const Agents* agents, const Policy& policy,
                                             Random& random) {
    if (agents == nullptr) return nullptr;
    return std::make_unique<AgentDesk>(*agents, policy, random);
  }
  static std::vector<std::unique_ptr<Verifier>> VerifiersOf(const AgentDesk* desk) {
    std::vector<std::unique_ptr<Verifier>> verifiers;
    if (desk == nullptr) return verifiers;
    verifiers.push_back(MakeAgentAttest01(desk->attestor, desk->parts.naming));
    verifiers.push_back(MakeZoneDns01());
    return verifiers;
  }

  // The last process may have died between a signature and its second look at the agent.
  void RecheckInterrupted(const OrderView& view) {
    const bool attested = !view.authorizations.empty() && view.authorizations.front().attestation;
    if (desk_ == nullptr || !attested) return;
    const auto record = context_.memory.certificates.FindByReference(view.order.id);
    if (!record.ok() || record->state != ca::SerialState::kIssued) return;
    RecheckAgent(context_, view, record->serial, context_.world.clock.Now());
  }

  Status TakeOverOrders(ca::WorkScope scope, size_t limit) {
    AGENTCA_ASSIGN(const auto orders, context_.memory.store.ClaimOrders(
                                          scope, context_.world.clock.Now(), limit));
    size_t settled = 0;
    for (const OrderId& id : orders) {
      AGENTCA_ASSIGN(const OrderView view, context_.memory.store.FindOrder(id));
      if (view.order.approval) {
        Pursue(id, kFirstPause);
      } else if (settlement_.Claim(id)) {
        RecheckInterrupted(view);
        settlement_.Conclude(id, InterruptedOrder());
        ++settled;
      }
    }
    if (settled != 0) {
      Log(Level::kInfo, "settled interrupted orders", {{"count", std::to_string(settled)}});
    }
    return {};
  }

  Status TakeOverValidations(ca::WorkScope scope, size_t limit) {
    AGENTCA_ASSIGN(auto pending, context_.memory.store.ClaimChallenges(scope, limit));
    size_t started = 0;
    for (PendingValidation& each : pending) {
      if (validations_.IsUnderWay(each.authorization.id)) continue;
      auto place = validations_.TryReserve(each.authorization.account_id);
      (void)validations_.Start(std::move(each), std::move(place));
      ++started;
    }
    if (started != 0) {
      Log(Level::kInfo, "took up validations", {{"count", std::to_string(started)}});
    }
    return {};
  }

  void Pursue(const OrderId& id, milliseconds pause) {
    const Status done = SettleDecided(context_, id, context_.world.clock.Now());
    if (done.ok() || done.error().code != Code::kUnavailable) return;
    Log(Level::kWarning, "an approved order waits",
        {{"order", id}, {"cause", done.error().detail}});
    decisions_.RunAfter(pause,
                        [this, id, pause] { Pursue(id, std::min(pause * 2, kLongestPause)); });
  }

  const std::shared_ptr<const Agents> served_;
  const std::unique_ptr<AgentDesk> desk_;
  Nonces nonces_;
  Accounts accounts_;
  RateLimit new_accounts_;
  RateLimit new_orders_;
  Settlement settlement_;
  ValidationQueue validations_;
  Context context_;
  Router router_;
  unsigned rounds_ = 0;              // TakeOverMore's alone
  std::atomic<bool> unsure_{false};  // a claim failed and may have taken something
  TaskQueue decisions_{1};  // last: its thread uses the rest
};

Service::Service(Memory memory, Authority authority, World world,
                 std::vector<std::unique_ptr<Verifier>> verifiers, Policy policy, Links links,
                 ValidationOptions validation)
    : core_(std::make_unique<Core>(memory, std::move(authority), world, std::move(verifiers),
                                   policy, std::move(links), validation)) {}

Service::~Service() = default;

http::Response Service::Handle(const http::Request& request) {
  return core_->router().Handle(request);
}

http::Response Service::Refuse(int status, std::string_view detail) {
  return core_->router().Refuse(status, detail);
}

std::optional<http::Response> Service::HandleFast(const http::Request& request) {
  return core_->router().HandleFast(request);
}

Status Service::Decided(const OrderId& id) { return core_->Decided(id); }

Status Service::Recover() { return core_->TakeOver(ca::WorkScope::kOwnAndDead, SIZE_MAX); }

Status Service::TakeOver() { return core_->TakeOverMore(); }

}  // namespace agentca::acme
