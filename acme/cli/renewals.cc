#include "acme/cli/renewals.h"

#include "acme/cli/freshness.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

constexpr std::chrono::seconds kPeriod{60};

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
  while (!wake_.wait_for(lock, kPeriod, [this] { return stopping_; })) {
    lock.unlock();
    if (const Status status = RunOnce(); !status.ok())
      Log(Level::kError, "cannot renew own certificates", {{"cause", status.error().detail}});
    WarnAboutCrls(clock_.Now());
    lock.lock();
  }
}

Status Renewals::RunOnce() {
  const Time now = clock_.Now();
  const Status ocsp = RenewOcsp(now);
  const Status tls = RenewTls(now);  // also when another failed
  const Status admin = RenewAdmin(now);
  return !ocsp.ok() ? ocsp : !tls.ok() ? tls : admin;
}

bool Renewals::IsRevoked(const ca::Certificate& certificate) const {
  const auto status = parts_.store.StatusOf(parts_.issuer.info.id, certificate.serial);
  // A store that never heard of it (memory:) has no answer for OCSP either: issue a new one.
  if (!status.ok()) return status.error().code == Code::kNotFound;
  return status->revocation.has_value();
}

Status Renewals::RenewOcsp(Time now) {
  AGENTCA_ASSIGN(ca::Certificate current, OcspCertificate(now));
  if (!parts_.ocsp_signer || serving_ocsp_ == current.serial) return {};
  serving_ocsp_ = current.serial;
  responds_until_ = current.not_after;
  parts_.responder.Serve(parts_.issuer.certificate, parts_.issuer.info.id,
                         {std::move(current), parts_.ocsp_signer});
  return {};
}

// The certificate to answer with: what is there, or a new one where that can be had.
Result<ca::Certificate> Renewals::OcspCertificate(Time now) {
  const auto there = ReadCertificate(parts_.directory.OcspCertificate());
  if (!there.ok() && !parts_.ocsp_signer) return there;  // nobody knows whom to certify
  const ca::PublicKey& key = parts_.ocsp_signer ? parts_.ocsp_signer->public_key() : there->key;
  if (parts_.own == nullptr) {
    if (!there.ok()) return there;
    AGENTCA_TRY(CheckForeign(*there, now));
    return *there;
  }
  if (auto current = parts_.own->CurrentOcspDelegate(key, now); current && !IsRevoked(*current))
    return *std::move(current);
  AGENTCA_ASSIGN(ca::Certificate issued, parts_.own->IssueOcspDelegate(key, now));
  LogIssued("ocsp", issued);
  return issued;
}

Status Renewals::CheckForeign(const ca::Certificate& delegate, Time now) const {
  const std::string file = parts_.directory.OcspCertificate().string();
  if (!(delegate.key == parts_.ocsp_signer->public_key()) ||
      delegate.issuer != parts_.issuer.info.subject)
    return Error{Code::kUnauthorized, file + " is not of this CA and the key of the signer"};
  if (now < delegate.not_before || now >= delegate.not_after)
    return Error{Code::kUnavailable, file + " is not valid now"};
  if (IsRevoked(delegate)) return Error{Code::kUnavailable, file + " is revoked"};
  return {};
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
