#include "acme/grant_tokens.h"

#include <utility>

namespace agentca::acme {

void LocalGrantTokens::Turn(Time now) {
  if (present_ && now - since_ < kGrantTokenLifetime) return;
  const bool follows = present_ && now - since_ < 2 * kGrantTokenLifetime;
  past_ = follows ? std::move(present_) : nullptr;
  present_ = std::make_unique<LocalNonces>(random_, kWindow);
  since_ = now;
}

std::string LocalGrantTokens::Issue(Time now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  return present_->Issue(now);
}

Status LocalGrantTokens::Spend(std::string_view token, Time now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  if (present_->Spend(token, now).ok()) return {};
  return past_ ? past_->Spend(token, now) : BadNonce();
}

Status GrantTokens::Spend(std::string_view token, Time now) {
  const Status spent = book_.Spend(token, now);
  if (spent.ok() || spent.error().code != Code::kBadNonce) return spent;
  return Error{Code::kUnauthorized, "the token is unknown, was used before or is too old"};
}

}  // namespace agentca::acme
