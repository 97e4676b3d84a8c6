#include "acme/attest/trust.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "acme/attest/chain.h"
#include "acme/attest/token.h"
#include "acme/challenge/url.h"

namespace agentca::acme::attest {
namespace {

constexpr Seconds kBetweenFetches{60};
constexpr Seconds kFirstBackOff{5};
constexpr Seconds kMaxAge{3600};
constexpr Seconds kMaxStale{86'400};

// One way or the other: a clock that was set back must not block anything for as long.
Seconds Between(Time a, Time b) { return a < b ? b - a : a - b; }

// One source: its roots and keys, parsed or fetched. Thread-safe.
class SourceKeys {
 public:
  SourceKeys(ca::EvidenceSource source, std::shared_ptr<const JwksFetch> fetch)
      : source_(std::move(source)), fetch_(std::move(fetch)) {
    if (!source_.roots_pem.empty()) {
      auto roots = ParsePemCertificates(source_.roots_pem);
      if (roots.ok()) roots_ = *std::move(roots);
    }
    if (source_.jwks.empty()) return;
    auto pinned = KeySet::Parse(source_.jwks);
    if (pinned.ok()) pinned_ = *std::move(pinned);
  }

  const ca::EvidenceSource& source() const { return source_; }
  const std::vector<Bytes>& roots() const { return roots_; }

  Result<std::vector<ca::PublicKey>> Find(std::string_view kid, Time now) {
    if (source_.jwks_url.empty()) {
      auto found = pinned_.Find(kid);
      return found.empty() ? Result<std::vector<ca::PublicKey>>(Unknown(kid)) : std::move(found);
    }
    if (auto known = FromKept(kid, now)) return *std::move(known);
    Keep((*fetch_)(source_), now);
    std::lock_guard lock(mutex_);
    return Answer(kid);
  }

 private:
  // What can be said without a fetch; nullopt: the caller shall fetch, and nobody else will.
  std::optional<Result<std::vector<ca::PublicKey>>> FromKept(std::string_view kid, Time now) {
    std::lock_guard lock(mutex_);
    if (kept_ && Between(kept_at_, now) >= kMaxStale) kept_.reset();
    const bool fresh = kept_ && Between(kept_at_, now) < kMaxAge;
    if (fresh && !kept_->Find(kid).empty()) return Answer(kid);
    if (fetching_ || (attempted_at_ && Between(*attempted_at_, now) < wait_)) return Answer(kid);
    fetching_ = true;
    return std::nullopt;
  }

  void Keep(Result<std::string> fetched, Time now) {
    Result<KeySet> parsed = fetched.ok() ? KeySet::Parse(*fetched) : std::move(fetched).error();
    std::lock_guard lock(mutex_);
    fetching_ = false;
    attempted_at_ = now;
    if (parsed.ok()) {
      kept_ = *std::move(parsed);
      kept_at_ = now;
      failure_.clear();
      wait_ = kBetweenFetches;
      return;
    }
    wait_ = failure_.empty() ? kFirstBackOff : std::min(2 * wait_, kBetweenFetches);
    failure_ = parsed.error().detail;
  }

  // Under mutex_.
  Result<std::vector<ca::PublicKey>> Answer(std::string_view kid) const {
    if (kept_) {
      if (auto found = kept_->Find(kid); !found.empty()) return found;
    }
    const std::string keys = "the keys of source " + Quoted(source_.name);
    if (!failure_.empty()) return Error{Code::kUnavailable, keys + ": " + failure_};
    if (fetching_) return Error{Code::kUnavailable, keys + " are being fetched"};
    return Unknown(kid);
  }

  Error Unknown(std::string_view kid) const {
    const std::string which = kid.empty() ? "a key without \"kid\"" : "key " + Quoted(kid);
    return BadAttestation(cause::kUnknownKey,
                          "source " + Quoted(source_.name) + " does not have " + which);
  }

  const ca::EvidenceSource source_;
  const std::shared_ptr<const JwksFetch> fetch_;
  std::vector<Bytes> roots_;
  KeySet pinned_;

  std::mutex mutex_;  // guards the rest
  std::optional<KeySet> kept_;
  Time kept_at_{};
  std::optional<Time> attempted_at_;
  Seconds wait_{0};      // after attempted_at_
  std::string failure_;  // of the last attempt; "" : it went well
  bool fetching_ = false;
};

class TrustNow final : public Trust {
 public:
  TrustNow(std::shared_ptr<SourceKeys> keys, Time now) : keys_(std::move(keys)), now_(now) {}
  const ca::EvidenceSource& source() const override { return keys_->source(); }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view kid) const override {
    return keys_->Find(kid, now_);
  }
  const std::vector<Bytes>& roots() const override { return keys_->roots(); }

 private:
  const std::shared_ptr<SourceKeys> keys_;
  const Time now_;
};

}  // namespace

class TrustBook::State {
 public:
  State(ca::AgentRegistry& registry, JwksFetch fetch)
      : registry_(registry), fetch_(std::make_shared<const JwksFetch>(std::move(fetch))) {}

  Result<std::vector<std::shared_ptr<const Trust>>> Sources(Time now) {
    // Read before the sources: a change in between makes us read them once more, next time.
    AGENTCA_ASSIGN(const int64_t version, registry_.TrustVersion());
    if (!IsCurrent(version)) {
      AGENTCA_ASSIGN(auto sources, registry_.ListSources());
      Adopt(version, std::move(sources));
    }
    std::vector<std::shared_ptr<const Trust>> trusts;
    std::lock_guard lock(mutex_);
    for (const auto& each : sources_) trusts.push_back(std::make_shared<TrustNow>(each, now));
    return trusts;
  }

 private:
  bool IsCurrent(int64_t version) {
    std::lock_guard lock(mutex_);
    return version_ && *version_ >= version;
  }

  // What did not change keeps its keys.
  void Adopt(int64_t version, std::vector<ca::EvidenceSource> sources) {
    std::sort(sources.begin(), sources.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    std::lock_guard lock(mutex_);
    if (version_ && *version_ >= version) return;
    std::vector<std::shared_ptr<SourceKeys>> adopted;
    for (ca::EvidenceSource& source : sources) {
      const auto known = std::find_if(sources_.begin(), sources_.end(),
                                      [&](const auto& each) { return each->source() == source; });
      adopted.push_back(known != sources_.end()
                            ? *known
                            : std::make_shared<SourceKeys>(std::move(source), fetch_));
    }
    sources_ = std::move(adopted);
    version_ = version;
  }

  ca::AgentRegistry& registry_;
  const std::shared_ptr<const JwksFetch> fetch_;
  std::mutex mutex_;  // guards the rest
  std::optional<int64_t> version_;
  std::vector<std::shared_ptr<SourceKeys>> sources_;
};

TrustBook::TrustBook(ca::AgentRegistry& registry, JwksFetch fetch)
    : state_(std::make_shared<State>(registry, std::move(fetch))) {}
TrustBook::~TrustBook() = default;

Result<std::vector<std::shared_ptr<const Trust>>> TrustBook::Sources(Time now) {
  return state_->Sources(now);
}

Status CheckSource(const ca::EvidenceSource& source) {
  const auto bad = [](std::string_view field, const Error& error) {
    return Error{Code::kMalformed, std::string(field) + ": " + error.detail};
  };
  AGENTCA_TRY(ca::CheckEvidenceSource(source));
  if (!source.jwks.empty()) {
    if (const auto set = KeySet::Parse(source.jwks); !set.ok()) return bad("jwks", set.error());
  }
  if (!source.jwks_url.empty()) {
    const auto url = ParseUrl(source.jwks_url);
    if (!url.ok()) return bad("jwksUrl", url.error());
    if (!url->secure) return Error{Code::kMalformed, "jwksUrl: is not https"};
  }
  for (const auto& [field, pem] :
       {std::pair("caPem", &source.ca_pem), std::pair("rootsPem", &source.roots_pem)}) {
    if (pem->empty()) continue;
    if (const auto read = ParsePemCertificates(*pem); !read.ok()) return bad(field, read.error());
  }
  return {};
}

}  // namespace agentca::acme::attest
