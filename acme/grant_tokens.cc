#include "acme/grant_tokens.h"

#include <utility>

namespace agentca::acme {

void GrantTokens::Turn(Time now) {
  if (present_ && now - since_ < kPeriod) return;
  const bool follows = present_ && now - since_ < 2 * kPeriod;
  past_ = follows ? std::move(present_) : nullptr;
  present_ = std::make_unique<Nonces>(random_, kWindow);
  since_ = now;
}

std::string GrantTokens::Issue(Time now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  return present_->Issue();
}

Status GrantTokens::Spend(std::string_view token, Time now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  if (present_->Spend(token).ok() || (past_ && past_->Spend(token).ok())) return {};
  return Error{Code::kUnauthorized, "the token is unknown, was used before or is too old"};
}

}  // namespace agentca::acme
