#include "ca/responder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "ca/answer_cache.h"
#include "ca/base/log.h"
#include "ca/clock_guard.h"

namespace agentca::ca {
namespace {

using AnswerPtr = std::shared_ptr<const OcspAnswer>;

constexpr std::array kHashes{OcspHash::kSha1, OcspHash::kSha256};
constexpr Seconds kComplainEvery{60};

// One issuer with the key that answers for it. Immutable: replaced as a whole.
struct Served {
  IssuerId id;
  std::array<IssuerHashes, kHashes.size()> hashes;
  Time issuer_not_after;
  OcspDelegate delegate;

  bool IsNamedBy(const CertId& cert) const {
    const IssuerHashes& mine = hashes[static_cast<size_t>(cert.hash)];
    return cert.issuer_name_hash == mine.name && cert.issuer_key_hash == mine.key;
  }
};

AnswerPtr Refusal(OcspErrorStatus status) {
  OcspAnswer answer;
  answer.der = OcspErrorResponse(status);
  return std::make_shared<const OcspAnswer>(std::move(answer));
}

// What the store knows, in OCSP's words; nullopt: nothing may be said about this serial.
std::optional<SingleStatus> Translate(const CertStatus& status) {
  // RFC 6960 §4.4.8 would allow to call a serial revoked that was never issued; here only a serial
  // that was abandoned is, since a signature over it may exist. An intent is not yet issued.
  if (status.state == SerialState::kIntent) return std::nullopt;
  if (status.revocation) return SingleStatus{OcspCertState::kRevoked, status.revocation};
  if (status.state == SerialState::kIssued) return SingleStatus{OcspCertState::kGood, {}};
  return std::nullopt;
}

// So many in each second of the clock. Thread-safe.
class Budget {
 public:
  explicit Budget(uint32_t per_second) : per_second_(per_second) {}

  bool Take(Time now) {
    std::lock_guard lock(mutex_);
    if (now != second_) {
      second_ = now;
      left_ = per_second_;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  const uint32_t per_second_;
  std::mutex mutex_;  // guards the rest
  Time second_{};
  uint32_t left_ = 0;
};

std::string StrongEtag(ByteView der) {
  const Sha256Digest digest = Sha256(der);
  return '"' + ToHex(ByteView(digest).first(16)) + '"';
}

}  // namespace

class Responder::State {
 public:
  State(CertificateStore& store, const Clock& clock, OcspSchedule schedule)
      : store_(store),
        clock_(clock),
        guard_(clock),
        schedule_(schedule),
        cache_(schedule.max_cached),
        fresh_(schedule.fresh_per_second) {}

  void Serve(std::shared_ptr<const Served> served) {
    {
      std::unique_lock lock(mutex_);
      std::erase_if(served_, [&](const auto& other) { return other->id == served->id; });
      served_.push_back(std::move(served));
    }
    // After the replacement: an answer that is being made with the old delegate is not kept.
    cache_.EvictAll();
  }

  AnswerPtr Cached(ByteView request) {
    const ByteView key = PlainCertId(request);
    return key.empty() ? nullptr : cache_.Fresh(key, clock_.Now());
  }

  AnswerPtr Answer(ByteView der) {
    auto request = ParseOcspRequest(der);
    if (!request.ok()) {
      return Refusal(request.error().code == Code::kMalformed ? OcspErrorStatus::kMalformedRequest
                                                              : OcspErrorStatus::kInternalError);
    }
    const Time now = clock_.Now();
    const bool several = request->cert_ids.size() != 1;
    if ((several || request->nonce) && !fresh_.Take(now)) {
      if (several) return Refusal(OcspErrorStatus::kTryLater);
      request->nonce.reset();
    }
    const auto answer = several || request->nonce
                            ? Make(*request, now)
                            : cache_.GetOrMake(request->cert_ids.front().der, now,
                                               [&] { return Make(*request, now); });
    return answer ? answer : Refusal(OcspErrorStatus::kTryLater);
  }

  void Evict(const IssuerId& id, const Serial& serial) {
    const auto served = Find([&id](const Served& one) { return one.id == id; });
    if (!served) return;
    for (const OcspHash hash : kHashes) {
      for (const bool null_parameters : {true, false}) {
        cache_.Evict(
            EncodeCertId(hash, null_parameters, served->hashes[static_cast<size_t>(hash)], serial));
      }
    }
  }

  void EvictAll() { cache_.EvictAll(); }

 private:
  template <class Predicate>
  std::shared_ptr<const Served> Find(Predicate predicate) const {
    std::shared_lock lock(mutex_);
    const auto found = std::find_if(served_.begin(), served_.end(),
                                    [&](const auto& one) { return predicate(*one); });
    return found == served_.end() ? nullptr : *found;
  }

  // Null: try later.
  AnswerPtr Make(const OcspRequest& request, Time now) {
    const auto served =
        Find([&](const Served& one) { return one.IsNamedBy(request.cert_ids.front()); });
    if (!served) return Refusal(OcspErrorStatus::kUnauthorized);
    // Nothing that we say may outlive the certificates that let us say it.
    const Time next_update = std::min({now + schedule_.lifetime, served->issuer_not_after,
                                       served->delegate.certificate.not_after});
    if (const auto why = Obstacle(*served, now, next_update)) return Complain(now, *served, *why);
    std::vector<std::pair<CertId, SingleStatus>> singles;
    for (const CertId& cert : request.cert_ids) {
      if (!served->IsNamedBy(cert)) return Refusal(OcspErrorStatus::kUnauthorized);
      const auto status = store_.StatusOf(served->id, cert.serial);
      if (!status.ok() && status.error().code != Code::kNotFound)
        return Complain(now, *served, status.error().detail);
      const auto single = status.ok() ? Translate(*status) : std::nullopt;
      if (!single) return Refusal(OcspErrorStatus::kUnauthorized);
      singles.emplace_back(cert, *single);
    }
    return Sign(*served,
                BuildResponseData(served->delegate.certificate.key, now, now, next_update, singles,
                                  request.nonce),
                !request.nonce && singles.size() == 1, now, next_update);
  }

  AnswerPtr Sign(const Served& served, const Bytes& response_data, bool cacheable, Time now,
                 Time next_update) {
    auto der =
        MakeOcspResponse(response_data, *served.delegate.signer, served.delegate.certificate.der);
    if (!der.ok()) return Complain(now, served, der.error().detail);
    OcspAnswer answer;
    answer.etag = StrongEtag(*der);
    answer.der = std::move(*der);
    answer.successful = true;
    answer.cacheable = cacheable;
    answer.this_update = now;
    answer.next_update = next_update;
    return std::make_shared<const OcspAnswer>(std::move(answer));
  }

  // Why no answer may be signed now, if so.
  std::optional<std::string_view> Obstacle(const Served& served, Time now, Time next_update) {
    const Certificate& certificate = served.delegate.certificate;
    if (next_update <= now || now < certificate.not_before)
      return "the OCSP delegate or its issuer is not valid now";
    if (!(served.delegate.signer->public_key() == certificate.key))
      return "the OCSP delegate's key is not the signer's";
    if (guard_.RunsBackwards(now)) return "the clock runs backwards";
    return std::nullopt;
  }

  // Logs at most once a minute, since a client must not be able to fill the log. Returns "try
  // later".
  AnswerPtr Complain(Time now, const Served& served, std::string_view why) {
    const int64_t seconds = now.time_since_epoch().count();
    int64_t last = last_complaint_.load();
    const bool recently = seconds >= last && seconds < last + kComplainEvery.count();
    if (!recently && last_complaint_.compare_exchange_strong(last, seconds))
      Log(Level::kError, "cannot make an OCSP answer", {{"issuer", served.id}, {"error", why}});
    return nullptr;
  }

  CertificateStore& store_;
  const Clock& clock_;
  ClockGuard guard_;
  const OcspSchedule schedule_;
  AnswerCache cache_;
  Budget fresh_;
  mutable std::shared_mutex mutex_;  // guards served_
  std::vector<std::shared_ptr<const Served>> served_;
  std::atomic<int64_t> last_complaint_ = 0;  // seconds since 1970, as is
};

Responder::Responder(CertificateStore& store, const Clock& clock, OcspSchedule schedule)
    : state_(std::make_unique<State>(store, clock, schedule)) {}
Responder::~Responder() = default;

void Responder::Serve(const Certificate& issuer, const IssuerId& id, OcspDelegate delegate) {
  state_->Serve(std::make_shared<const Served>(
      Served{id,
             {HashIssuer(issuer, OcspHash::kSha1), HashIssuer(issuer, OcspHash::kSha256)},
             issuer.not_after,
             std::move(delegate)}));
}

AnswerPtr Responder::Cached(ByteView request) const { return state_->Cached(request); }
AnswerPtr Responder::Answer(ByteView request) { return state_->Answer(request); }
void Responder::Evict(const IssuerId& id, const Serial& serial) { state_->Evict(id, serial); }
void Responder::EvictAll() { state_->EvictAll(); }

}  // namespace agentca::ca
