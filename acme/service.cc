#include "acme/service.h"

#include <algorithm>

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

}  // namespace

// In the order in which the parts need one another.
class Service::Core {
 public:
  Core(Memory memory, Authority authority, World world,
       std::vector<std::unique_ptr<Verifier>> verifiers, const Policy& policy, Links links,
       ValidationOptions validation)
      : nonces_(memory.nonces != nullptr
                    ? memory.nonces
                    : std::make_shared<const NonceBooks>(LocalBooks(world.random))),
        served_(authority.agents),
        desk_(MakeDesk(served_.get(), policy, *nonces_->grants)),
        accounts_(memory.store),
        new_accounts_(policy.new_accounts_per_hour),
        new_orders_(policy.new_orders_per_hour),
        settlement_(memory.store, memory.certificates),
        validations_(memory, world, {std::move(verifiers), VerifiersOf(desk_.get())}, links,
                     validation),
        context_{memory,     std::move(authority), world,       policy,        std::move(links),
                 accounts_,  validations_,         settlement_, new_accounts_, new_orders_,
                 desk_.get()},
        router_(context_, *nonces_->requests) {}

  Router& router() { return router_; }

  Status RecoverOrders() {
    AGENTCA_ASSIGN(const auto orders, context_.memory.store.ListProcessingOrders());
    size_t settled = 0;
    for (const OrderId& id : orders) {
      AGENTCA_ASSIGN(const OrderView view, context_.memory.store.FindOrder(id));
      if (!view.order.approval) {
        RecheckInterrupted(view);
        settlement_.Claim(id);
        settlement_.Conclude(id, InterruptedOrder());
        ++settled;
      } else {
        Pursue(id, kFirstPause);  // decided, or expired meanwhile; else it waits on
      }
    }
    if (settled != 0) {
      Log(Level::kInfo, "settled interrupted orders", {{"count", std::to_string(settled)}});
    }
    return {};
  }

  Status Decided(const OrderId& id) {
    AGENTCA_TRY(CheckDecided(context_, id));
    Pursue(id, kFirstPause);
    return {};
  }

  Status RecoverValidations() {
    AGENTCA_ASSIGN(auto pending, context_.memory.store.ListProcessingChallenges());
    for (PendingValidation& each : pending) {
      auto place = validations_.TryReserve(each.authorization.account_id);
      (void)validations_.Start(std::move(each), std::move(place));
    }
    if (!pending.empty()) {
      Log(Level::kInfo, "took up validations", {{"count", std::to_string(pending.size())}});
    }
    return {};
  }

 private:
  static std::unique_ptr<AgentDesk> MakeDesk(const Agents* agents, const Policy& policy,
                                             NonceBook& grants) {
    if (agents == nullptr) return nullptr;
    return std::make_unique<AgentDesk>(*agents, policy, grants);
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

  void Pursue(const OrderId& id, milliseconds pause) {
    const Status done = SettleDecided(context_, id, context_.world.clock.Now());
    if (done.ok() || done.error().code != Code::kUnavailable) return;
    Log(Level::kWarning, "an approved order waits",
        {{"order", id}, {"cause", done.error().detail}});
    decisions_.RunAfter(pause,
                        [this, id, pause] { Pursue(id, std::min(pause * 2, kLongestPause)); });
  }

  const std::shared_ptr<const NonceBooks> nonces_;
  const std::shared_ptr<const Agents> served_;
  const std::unique_ptr<AgentDesk> desk_;
  Accounts accounts_;
  RateLimit new_accounts_;
  RateLimit new_orders_;
  Settlement settlement_;
  ValidationQueue validations_;
  Context context_;
  Router router_;
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

Status Service::Recover() {
  AGENTCA_TRY(core_->RecoverOrders());
  return core_->RecoverValidations();
}

}  // namespace agentca::acme
