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
// The clock is looked at this often, so that a jump of it delays no CRL.
constexpr milliseconds kLongestWait{30'000};
// A publication may take this share of the time, so that a mass revocation of a large issuer does
// not sign the whole list once per revocation.
constexpr int kRestPerWork = 4;
// A store brought back from a backup counts from a lower number; it may be this far behind.
constexpr int kMaxNumbersSkipped = 100'000;

}  // namespace

CrlPublisher::CrlPublisher(const IssuerInfo& issuer, Signer& signer, CertificateStore& store,
                           const Clock& clock, CrlSchedule schedule, std::filesystem::path file)
    : issuer_(issuer),
      signer_(signer),
      store_(store),
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

// Strictly increasing also against the list already published: RFC 5280 §5.2.3.
Result<uint64_t> CrlPublisher::NextNumber(const PublishedCrl* last) {
  const uint64_t floor = last == nullptr ? 0 : last->summary.number;
  for (int i = 0; i < kMaxNumbersSkipped; ++i) {
    AGENTCA_ASSIGN(const uint64_t number, store_.NextCrlNumber(issuer_.id));
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
  AGENTCA_TRY(store_.VisitRevoked(issuer_.id, now - schedule_.keep_expired,
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

Status CrlPublisher::PublishNow() {
  std::lock_guard one_at_a_time(publish_mutex_);
  const auto last = current();
  const Time now = clock_.Now();
  if (guard_.RunsBackwards(now)) {
    return Error{Code::kInternal, "the clock runs backwards: it says " + ToRfc3339(now)};
  }
  AGENTCA_ASSIGN(const uint64_t number, NextNumber(last.get()));
  AGENTCA_ASSIGN(PublishedCrl crl, Make(number, now));
  AGENTCA_TRY(ReplaceFile(file_, crl.der));
  auto published = std::make_shared<const PublishedCrl>(std::move(crl));
  Log(Level::kInfo, "published a CRL",
      {{"issuer", issuer_.id},
       {"number", std::to_string(number)},
       {"entries", std::to_string(published->summary.entries)},
       {"next_update", ToRfc3339(published->summary.next_update)}});
  std::lock_guard lock(mutex_);
  current_ = std::move(published);
  return {};
}

// True when a list is due by the clock or asked for.
bool CrlPublisher::Due() const {
  if (requested_ || !current_) return true;
  const Time now = clock_.Now();
  return now >= current_->summary.this_update + schedule_.interval ||
         now < current_->summary.this_update;
}

milliseconds CrlPublisher::UntilDue() const {
  if (!current_) return milliseconds(0);
  return current_->summary.this_update + schedule_.interval - clock_.Now();
}

Status CrlPublisher::PublishGuarded() {
  try {
    return PublishNow();
  } catch (const std::bad_alloc&) {
    return Error{Code::kInternal, "out of memory"};
  }
}

void CrlPublisher::Run() {
  auto not_before = steady_clock::now();
  milliseconds retry = kFirstRetry;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (const auto start = steady_clock::now(); !Due() || start < not_before) {
      const auto wait = Due() ? std::chrono::ceil<milliseconds>(not_before - start) : UntilDue();
      wake_.wait_for(lock, std::clamp(wait, milliseconds(1), kLongestWait));
      continue;
    }
    requested_ = false;
    lock.unlock();
    const auto start = steady_clock::now();
    const Status status = PublishGuarded();
    const auto work = steady_clock::now() - start;
    lock.lock();
    if (status.ok()) {
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
