#include "ca/revocation.h"

#include <algorithm>
#include <set>

#include "ca/base/log.h"

namespace agentca::ca {
namespace {

constexpr size_t kBatch = 1000;

}  // namespace

Revoker::Revoker(CertificateStore& store, ChainedLog& audit) : store_(store), audit_(audit) {}

// The event is on disk before the store is asked, so that no revocation goes without one. The look
// before it keeps requests that change nothing out of the audit log.
Status Revoker::Revoke(const IssuerId& issuer, const Serial& serial, Reason reason,
                       std::string_view requested_by, Time now) {
  AGENTCA_ASSIGN(const CertStatus status, store_.StatusOf(issuer, serial));
  if (status.state == SerialState::kIntent)
    return Error{Code::kNotFound, "no certificate with this serial number was issued"};
  if (status.revocation) return Error{Code::kAlreadyRevoked, "the certificate is already revoked"};
  const std::string serial_text = serial.ToString();
  AGENTCA_TRY(audit_.Append("revoke",
                            {{"issuer", issuer},
                             {"serial", serial_text},
                             {"reason", ToString(reason)},
                             {"requested_by", requested_by}},
                            now));
  const Status revoked = store_.Revoke(issuer, serial, reason, now);
  if (revoked.ok()) return {};
  // Not more than what is known: after kUnavailable the store may have committed it all the same.
  const Status noted = audit_.Append(
      "revoke-failed",
      {{"issuer", issuer}, {"serial", serial_text}, {"error", revoked.error().detail}}, now);
  if (!noted.ok())
    Log(Level::kError, "cannot audit a failed revocation", {{"error", noted.error().detail}});
  return revoked;
}

RevocationWatcher::RevocationWatcher(CertificateStore& store, Responder& responder,
                                     std::vector<CrlPublisher*> publishers,
                                     std::vector<IssuerId> issuer_ids,
                                     std::chrono::milliseconds period)
    : store_(store),
      responder_(responder),
      publishers_(std::move(publishers)),
      issuer_ids_(std::move(issuer_ids)),
      period_(period),
      thread_([this] { Run(); }) {
  assert(publishers_.size() == issuer_ids_.size());
}

RevocationWatcher::~RevocationWatcher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void RevocationWatcher::Nudge() {
  {
    std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  wake_.notify_all();
}

// What was revoked before the first look may be missing from an answer or a list made meanwhile:
// all answers are dropped and all lists made anew, once the place to go on from is known.
Status RevocationWatcher::Begin() {
  AGENTCA_ASSIGN(last_, store_.LastRevocationSequence());
  responder_.EvictAll();
  for (CrlPublisher* publisher : publishers_) publisher->RequestPublication();
  return {};
}

Status RevocationWatcher::Look() {
  if (!last_) return Begin();
  for (bool more = true; more;) {
    AGENTCA_ASSIGN(const auto events, store_.RevocationsSince(*last_, kBatch));
    std::set<IssuerId> touched;
    for (const RevocationEvent& event : events) {
      responder_.Evict(event.issuer_id, event.serial);
      touched.insert(event.issuer_id);
      last_ = event.sequence;
    }
    for (size_t i = 0; i < publishers_.size(); ++i) {
      if (touched.contains(issuer_ids_[i])) publishers_[i]->RequestPublication();
    }
    more = events.size() == kBatch;
  }
  return {};
}

void RevocationWatcher::Run() {
  bool failing = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    nudged_ = false;
    lock.unlock();
    const Status status = Look();
    if (!status.ok() && !failing) {
      Log(Level::kError, "cannot read revocations; OCSP answers and CRLs may lag until it works",
          {{"error", status.error().detail}});
    } else if (status.ok() && failing) {
      Log(Level::kInfo, "revocations are read again");
    }
    failing = !status.ok();
    lock.lock();
    wake_.wait_for(lock, period_, [this] { return nudged_ || stopping_; });
  }
}

}  // namespace agentca::ca
