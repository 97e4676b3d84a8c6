#include "ca/crl_follower.h"

#include "ca/base/log.h"

namespace agentca::ca {

CrlFollower::CrlFollower(const IssuerId& issuer, PublicKey key, SharedDocuments& documents,
                         std::chrono::milliseconds period)
    : name_(CrlNameOf(issuer)), key_(std::move(key)), documents_(documents), period_(period) {}

CrlFollower::~CrlFollower() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CrlFollower::Start() {
  thread_ = std::thread([this] { Run(); });
}

std::shared_ptr<const PublishedCrl> CrlFollower::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

Status CrlFollower::LookNow() {
  AGENTCA_ASSIGN(const int64_t version, documents_.VersionOf(name_));
  if (version == 0) return Error{Code::kNotFound, "no CRL was published yet"};
  if (version == seen_) return {};
  AGENTCA_ASSIGN(SharedDocument document, documents_.Get(name_));
  seen_ = document.version;
  AGENTCA_ASSIGN(const CrlSummary summary, ParseCrl(document.content, key_));
  const std::string number = std::to_string(summary.number);
  if (number != std::to_string(document.version))
    return Error{Code::kInternal, "list " + number + " is in the place of another"};
  const auto last = current();
  if (last && summary.number < last->summary.number)
    return Error{Code::kInternal,
                 "list " + number + " is older than " + std::to_string(last->summary.number)};
  auto taken =
      std::make_shared<const PublishedCrl>(PublishedCrl{std::move(document.content), summary});
  std::lock_guard lock(mutex_);
  current_ = std::move(taken);
  return {};
}

void CrlFollower::Run() {
  std::string complaint;  // of the last look
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Status status = LookNow();
    std::string fault = status.ok() ? "" : status.error().detail;
    if (!fault.empty() && fault != complaint)
      Log(Level::kError, "cannot serve the newest CRL", {{"document", name_}, {"error", fault}});
    complaint = std::move(fault);
    lock.lock();
    wake_.wait_for(lock, period_, [this] { return stopping_; });
  }
}

}  // namespace agentca::ca
