#include "acme/service.h"

#include "acme/context.h"
#include "acme/routes.h"
#include "ca/base/log.h"

namespace agentca::acme {

// In the order in which the parts need one another.
class Service::Core {
 public:
  Core(Memory memory, Authority authority, World world,
       std::vector<std::unique_ptr<Verifier>> verifiers, const Policy& policy, Links links,
       ValidationOptions validation)
      : nonces_(world.random),
        accounts_(memory.store),
        new_accounts_(policy.new_accounts_per_hour),
        new_orders_(policy.new_orders_per_hour),
        settlement_(memory.store, memory.certificates),
        validations_(memory, world, std::move(verifiers), validation),
        context_{memory,    std::move(authority), world,       policy,        std::move(links),
                 accounts_, validations_,         settlement_, new_accounts_, new_orders_},
        router_(context_, nonces_) {}

  Router& router() { return router_; }

  Status RecoverOrders() {
    AGENTCA_ASSIGN(const auto orders, context_.memory.store.ListProcessingOrders());
    for (const OrderId& id : orders) {
      settlement_.Claim(id);
      settlement_.Conclude(id, InterruptedOrder());
    }
    if (!orders.empty()) {
      Log(Level::kInfo, "settled interrupted orders", {{"count", std::to_string(orders.size())}});
    }
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
  Nonces nonces_;
  Accounts accounts_;
  RateLimit new_accounts_;
  RateLimit new_orders_;
  Settlement settlement_;
  ValidationQueue validations_;
  Context context_;
  Router router_;
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

Status Service::Recover() {
  AGENTCA_TRY(core_->RecoverOrders());
  return core_->RecoverValidations();
}

}  // namespace agentca::acme
