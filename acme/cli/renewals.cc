#include "acme/cli/renewals.h"

#include "acme/cli/freshness.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

constexpr std::chrono::milliseconds kLookPeriod{500};
constexpr int kLooksPerRound = 120;

void LogIssued(std::string_view what, const ca::Certificate& certificate) {
  Log(Level::kInfo, "issued own certificate",
      {{"for", what},
       {"serial", certificate.serial.ToString()},
       {"not_after", ToRfc3339(certificate.not_after)}});
}

}  // namespace

Renewals::Renewals(Parts parts, const Clock& clock, std::vector<const ca::CrlSource*> crls)
    : parts_(std::move(parts)), clock_(clock), crls_(std::move(crls)) {}

Renewals::~Renewals() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Renewals::Start(std::function<void()> on_new_tls) {
  on_new_tls_ = std::move(on_new_tls);
  thread_ = std::thread([this] { Run(); });
}

void Renewals::Run() {
  std::unique_lock lock(mutex_);
  for (int look = 1; !wake_.wait_for(lock, kLookPeriod, [this] { return stopping_; }); ++look) {
    lock.unlock();
    FollowDelegate(clock_.Now());
    if (look % kLooksPerRound == 0) {
      if (const Status status = RunOnce(); !status.ok())
        Log(Level::kError, "cannot renew own certificates", {{"cause", status.error().detail}});
      WarnAboutCrls(clock_.Now());
    }
    lock.lock();
  }
}

Status Renewals::RunOnce() {
  const Time now = clock_.Now();
  const Status ocsp = parts_.delegate.Renew(now);
  const Status tls = RenewTls(now);  // also when another failed
  const Status admin = RenewAdmin(now);
  return !ocsp.ok() ? ocsp : !tls.ok() ? tls : admin;
}

bool Renewals::IsRevoked(const ca::Certificate& certificate) const {
  const auto status = parts_.store.StatusOf(parts_.issuer, certificate.serial);
  // A store that never heard of it (memory:) has no answer for OCSP either: issue a new one.
  if (!status.ok()) return status.error().code == Code::kNotFound;
  return status->revocation.has_value();
}

void Renewals::FollowDelegate(Time now) {
  const Status followed = parts_.delegate.Follow(now);
  std::string complaint = followed.ok() ? "" : followed.error().detail;
  if (!complaint.empty() && complaint != complaint_)
    Log(Level::kError, "cannot look for OCSP delegates of other nodes", {{"cause", complaint}});
  complaint_ = std::move(complaint);
}

Status Renewals::RenewTls(Time now) {
  if (parts_.own == nullptr) return {};
  const auto current = parts_.own->CurrentTlsIdentity(now);
  if (current && !IsRevoked(*current)) return {};
  AGENTCA_ASSIGN(const ca::Certificate issued, parts_.own->IssueTlsIdentity(now));
  LogIssued("tls", issued);
  if (on_new_tls_) on_new_tls_();
  return {};
}

// Who can write DIR can have any certificate: renewing one that was revoked gives nobody more.
Status Renewals::RenewAdmin(Time now) {
  if (parts_.own == nullptr || !parts_.own->KeepsAdmin()) return {};
  const auto current = parts_.own->CurrentAdmin(now);
  if (current && !IsRevoked(*current)) return {};
  AGENTCA_ASSIGN(const ca::Certificate issued, parts_.own->IssueAdmin(now));
  LogIssued("admin", issued);
  return {};
}

void Renewals::WarnAboutCrls(Time now) const {
  for (const ca::CrlSource* source : crls_) {
    const auto crl = source->current();
    if (crl && RemainingLife(crl->summary.this_update, crl->summary.next_update, now) >= kWarnBelow)
      continue;
    Log(Level::kWarning, "CRL grows old: publication fails",
        {{"next_update", crl ? ToRfc3339(crl->summary.next_update) : "none published"}});
  }
}

}  // namespace agentca::cli
