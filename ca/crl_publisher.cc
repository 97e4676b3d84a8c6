#include "ca/crl_publisher.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "ca/base/file.h"
#include "ca/base/log.h"
#include "ca/signed_object.h"

namespace agentca::ca {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kMaxCrlSize = size_t{1} << 30;
constexpr milliseconds kFirstRetry{1000};
constexpr milliseconds kLastRetry{60'000};
// A publication may take this share of the time, so that a mass revocation of a large issuer does
// not sign the whole list once per revocation.
constexpr int kRestPerWork = 4;
// A store brought back from a backup counts from a lower number; it may be this far behind.
constexpr int kMaxNumbersSkipped = 100'000;

}  // namespace

CrlPublisher::CrlPublisher(const IssuerInfo& issuer, Signer& signer, Shared shared,
                           const Clock& clock, CrlSchedule schedule, std::filesystem::path file)
    : issuer_(issuer),
      name_(CrlNameOf(issuer.id)),
      signer_(signer),
      shared_(shared),
      clock_(clock),
      guard_(clock),
      schedule_(schedule),
      file_(std::move(file)) {
  auto der = ReadFile(file_, kMaxCrlSize);
  if (!der.ok() && der.error().code == Code::kNotFound) return;
  const auto summary = der.ok() ? ParseCrl(*der, signer_.public_key()) : der.error();
  if (summary.ok()) {
    guard_.Remember(summary->this_update);
    current_ = std::make_shared<const PublishedCrl>(PublishedCrl{std::move(*der), *summary});
  } else {
    Log(Level::kWarning, "the CRL on disk is not served",
        {{"file", file_.native()}, {"error", summary.error().detail}});
  }
}

CrlPublisher::~CrlPublisher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CrlPublisher::Start() {
  // The disk may have had no room for what this node served last: whoever saw that list must not be
  // shown an older one. Should this fail, the thread says why.
  (void)Adopt();
  RequestPublication();
  thread_ = std::thread([this] { Run(); });
}

void CrlPublisher::RequestPublication() {
  {
    std::lock_guard lock(mutex_);
    requested_ = true;
  }
  wake_.notify_all();
}

std::shared_ptr<const PublishedCrl> CrlPublisher::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

// Strictly increasing also against the lists already published: RFC 5280 §5.2.3.
Result<uint64_t> CrlPublisher::NextNumber(const PublishedCrl* last) {
  const uint64_t floor =
      std::max(last == nullptr ? 0 : last->summary.number, static_cast<uint64_t>(seen_));
  for (int i = 0; i < kMaxNumbersSkipped; ++i) {
    AGENTCA_ASSIGN(const uint64_t number, shared_.certificates.NextCrlNumber(issuer_.id));
    if (number > floor) return number;
    if (i == 0) {
      Log(Level::kWarning, "the store is behind the published CRL; was it restored from a backup?",
          {{"issuer", issuer_.id}, {"published", std::to_string(floor)}});
    }
  }
  return Error{Code::kInternal, "CRL numbers of the store are far behind the published CRL"};
}

Result<PublishedCrl> CrlPublisher::Make(uint64_t number, Time now) {
  CrlBuilder builder;
  AGENTCA_TRY(shared_.certificates.VisitRevoked(issuer_.id, now - schedule_.keep_expired,
                                  [&builder](const RevokedEntry& entry) {
                                    builder.Add(entry);
                                    return true;
                                  }));
  const size_t entries = builder.size();
  const Time next_update = now + schedule_.lifetime;
  PublishedCrl crl;
  {
    const Bytes tbs = std::move(builder).Finish(issuer_, number, now, next_update);
    AGENTCA_ASSIGN(crl.der, MakeSigned(tbs, signer_));
  }
  auto summary = ParseCrl(crl.der, signer_.public_key());
  if (!summary.ok()) return Error{Code::kInternal, "made an unusable " + summary.error().detail};
  if (summary->number != number || summary->entries != entries || summary->this_update != now ||
      summary->next_update != next_update) {
    return Error{Code::kInternal, "made a CRL that says something else than it should"};
  }
  crl.summary = *summary;
  return crl;
}

void CrlPublisher::Serve(PublishedCrl crl, std::string_view how) {
  auto published = std::make_shared<const PublishedCrl>(std::move(crl));
  Log(Level::kInfo, how,
      {{"issuer", issuer_.id},
       {"number", std::to_string(published->summary.number)},
       {"entries", std::to_string(published->summary.entries)},
       {"next_update", ToRfc3339(published->summary.next_update)}});
  // First, so that the next start of this node serves none that is older; but no more rests on it.
  if (const Status kept = ReplaceFile(file_, published->der); !kept.ok())
    Log(Level::kError, "cannot keep the CRL on disk",
        {{"file", file_.native()}, {"error", kept.error().detail}});
  std::lock_guard lock(mutex_);
  current_ = std::move(published);
}

Status CrlPublisher::AdoptNewest() {
  AGENTCA_ASSIGN(const int64_t version, shared_.documents.VersionOf(name_));
  if (version == seen_) return {};
  const auto last = current();
  if (last && static_cast<uint64_t>(version) <= last->summary.number) {
    // A store that was restored from a backup must not make lists with numbers that were used.
    if (static_cast<uint64_t>(version) < last->summary.number) AGENTCA_TRY(NextNumber(last.get()));
    seen_ = version;
    return {};
  }
  AGENTCA_ASSIGN(SharedDocument document, shared_.documents.Get(name_));
  seen_ = document.version;  // sound or not, it is what the next list replaces
  const auto summary = ParseCrl(document.content, signer_.public_key());
  if (!summary.ok())
    return Error{Code::kInternal, "the CRL in the store is not served: " + summary.error().detail};
  if (summary->number != static_cast<uint64_t>(document.version))
    return Error{Code::kInternal, "the CRL in the store is not served: it has another number"};
  Serve({std::move(document.content), *summary}, "adopted a CRL");
  return {};
}

Status CrlPublisher::Adopt() {
  std::lock_guard one_at_a_time(publish_mutex_);
  return AdoptNewest();
}

// What is revoked is read after the list that is replaced was seen, and Put fails when it is no
// longer that one: no list lacks what one before it had.
Status CrlPublisher::Publish() {
  if (const Status seen = AdoptNewest(); !seen.ok() && seen.error().code != Code::kInternal)
    return seen;
  const auto last = current();
  const Time now = clock_.Now();
  if (guard_.RunsBackwards(now)) {
    return Error{Code::kInternal, "the clock runs backwards: it says " + ToRfc3339(now)};
  }
  AGENTCA_ASSIGN(const uint64_t number, NextNumber(last.get()));
  AGENTCA_ASSIGN(PublishedCrl crl, Make(number, now));
  SharedDocument document{static_cast<int64_t>(number), std::move(crl.der)};
  AGENTCA_TRY(shared_.documents.Put(name_, seen_, document));
  seen_ = document.version;
  crl.der = std::move(document.content);
  Serve(std::move(crl), "published a CRL");
  return {};
}

Status CrlPublisher::PublishNow() {
  std::lock_guard one_at_a_time(publish_mutex_);
  try {
    return Publish();
  } catch (const std::bad_alloc&) {
    return Error{Code::kInternal, "out of memory"};
  }
}

// True when a list is due by the clock or asked for.
bool CrlPublisher::Due() const {
  if (requested_ || !current_) return true;
  const Time now = clock_.Now();
  return now >= current_->summary.this_update + schedule_.interval ||
         now < current_->summary.this_update;
}

// Takes or keeps the duty if it can be had, and serves what others published. A node that has come
// to the duty makes a list at once: the one before may have gone with a revocation on its mind.
void CrlPublisher::Look(Duty& duty, bool may_hold) {
  const bool had_duty = on_duty_;
  on_duty_ = may_hold && duty.Hold();
  if (on_duty_ && !had_duty) RequestPublication();
  Status adopted;
  try {
    adopted = Adopt();
  } catch (const std::bad_alloc&) {
    adopted = Error{Code::kInternal, "out of memory"};
  }
  std::string complaint = adopted.ok() ? "" : adopted.error().detail;
  if (!complaint.empty() && complaint != complaint_)
    Log(Level::kError, "cannot look for CRLs of other nodes",
        {{"issuer", issuer_.id}, {"error", complaint}});
  complaint_ = std::move(complaint);
}

void CrlPublisher::Run() {
  Duty duty(shared_.leases, name_);
  auto not_before = steady_clock::now();
  milliseconds retry = kFirstRetry;
  bool failed = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    Look(duty, !failed || steady_clock::now() >= not_before);
    lock.lock();
    const bool due = on_duty_ && Due();
    const auto start = steady_clock::now();
    if (!due || start < not_before) {
      const auto left = std::chrono::ceil<milliseconds>(not_before - start);
      wake_.wait_for(lock, due ? std::clamp(left, milliseconds(1), kLookPeriod) : kLookPeriod,
                     [&] { return stopping_ || (on_duty_ && requested_ && !due); });
      continue;
    }
    requested_ = false;
    lock.unlock();
    const Status status = PublishNow();
    const auto work = steady_clock::now() - start;
    failed = !status.ok();
    if (failed) {
      duty.Release();
      on_duty_ = false;
    }
    lock.lock();
    if (!failed) {
      retry = kFirstRetry;
      not_before = steady_clock::now() + kRestPerWork * work;
      continue;
    }
    requested_ = true;
    not_before = steady_clock::now() + retry;
    Log(Level::kError, "could not publish a CRL; will try again",
        {{"issuer", issuer_.id},
         {"error", status.error().detail},
         {"in_ms", std::to_string(retry.count())}});
    retry = std::min(2 * retry, kLastRetry);
  }
}

}  // namespace agentca::ca
