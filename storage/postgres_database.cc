#include "storage/postgres_database.h"

#include <algorithm>
#include <random>
#include <thread>

#include "ca/base/log.h"

namespace agentca::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Writers of one sequence find each other's number in use by turns; with pauses that grow, so many
// attempts are most of a second.
constexpr int kDuplicateRetries = 20;
constexpr milliseconds kFirstConnectPause{50};
constexpr milliseconds kLongestConnectPause{1'000};
constexpr milliseconds kAnswerWithin{1'000};  // of a connection that is doubted

Error Away() { return {Code::kUnavailable, "the database cannot be reached"}; }
Error Unknown() {
  return {Code::kUnavailable, "the database was lost in the middle; nothing is known of the effect"};
}

PostgresConnection::Kind KindOf(Isolation isolation) {
  switch (isolation) {
    case Isolation::kLocks:
      return PostgresConnection::Kind::kReadCommitted;
    case Isolation::kStatements:
      return PostgresConnection::Kind::kStatements;
    case Isolation::kSerializable:
      break;
  }
  return PostgresConnection::Kind::kSerializable;
}

}  // namespace

// How long something is tried again, with pauses that grow and differ from each other's.
class PostgresDatabase::Patience {
 public:
  explicit Patience(const PostgresOptions& options)
      : away_until_(steady_clock::now() + options.patience),
        colliding_until_(steady_clock::now() + options.retrying) {}

  // False: it was long enough.
  bool Wait(Attempt::Next why) {
    const bool collision = why == Attempt::Next::kAgainSoon || why == Attempt::Next::kDuplicate;
    const auto until = collision ? colliding_until_ : away_until_;
    milliseconds& longest = collision ? collision_pause_ : away_pause_;
    thread_local std::minstd_rand random{std::random_device{}()};
    const milliseconds pause(
        std::uniform_int_distribution<milliseconds::rep>(0, longest.count())(random));
    if (steady_clock::now() + pause >= until) return false;
    std::this_thread::sleep_for(pause);
    longest = std::min(longest * 2, milliseconds(collision ? 100 : 500));
    return true;
  }

 private:
  const steady_clock::time_point away_until_, colliding_until_;
  milliseconds collision_pause_{2}, away_pause_{20};
};

PostgresDatabase::Lease::Lease(PostgresDatabase& owner,
                               std::unique_ptr<PostgresConnection> connection)
    : owner_(&owner), connection_(std::move(connection)) {}

PostgresDatabase::Lease::~Lease() {
  if (connection_ == nullptr) return;
  connection_->Rollback();
  const bool was_late = late();
  watched_.reset();
  owner_->Return(std::move(connection_), was_late);
}

void PostgresDatabase::Lease::Watch(milliseconds deadline) {
  watched_.reset();
  watched_ = std::make_unique<PostgresWatch::Deadline>(owner_->watch_, connection_->socket(),
                                                       deadline);
}

PostgresDatabase::PostgresDatabase(std::string conninfo, PostgresOptions options)
    : conninfo_(std::move(conninfo)), options_(options) {}

// A server that refused a moment ago is not asked again by everybody at once. It may have as many
// connections as it takes: then those that there are have to do.
Result<PostgresDatabase::Lease> PostgresDatabase::Borrow() {
  std::unique_lock lock(mutex_);
  const auto may_connect = [this] {
    return open_ < options_.max_connections && steady_clock::now() >= no_connect_before_;
  };
  if (open_ == 0 && !may_connect()) return connect_failure_;
  const auto until = steady_clock::now() + options_.patience;
  for (;;) {
    while (idle_.empty() && !may_connect()) {
      const auto wake = steady_clock::now() < no_connect_before_
                            ? std::min(until, no_connect_before_)
                            : until;
      returned_.wait_until(lock, wake);
      if (open_ == 0 && !may_connect()) return connect_failure_;
      if (steady_clock::now() >= until) return Error{Code::kUnavailable, "the database is busy"};
    }
    if (idle_.empty()) return Connect(lock);
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    lock.unlock();
    {
      Lease lease(*this, std::move(idle.connection));
      if (!idle.doubted || Answers(lease)) return lease;
      DropDoubted();
    }
    lock.lock();
  }
}

Result<PostgresDatabase::Lease> PostgresDatabase::Connect(std::unique_lock<std::mutex>& lock) {
  ++open_;
  lock.unlock();
  auto connection = PostgresConnection::Open(conninfo_, options_, watch_);
  lock.lock();
  if (connection.ok()) {
    connect_pause_ = milliseconds(0);
    return Lease(*this, *std::move(connection));
  }
  --open_;
  connect_pause_ = std::clamp(connect_pause_ * 2, kFirstConnectPause, kLongestConnectPause);
  no_connect_before_ = steady_clock::now() + connect_pause_;
  connect_failure_ = connection.error();
  returned_.notify_one();
  return std::move(connection).error();
}

bool PostgresDatabase::Answers(Lease& lease) const {
  lease.Watch(std::min(options_.patience, kAnswerWithin));
  return lease->Execute("SELECT 1").ok() && !lease.late();
}

// When one of them does not answer, each of the others would cost somebody the same wait.
void PostgresDatabase::DropDoubted() {
  std::vector<Idle> useless;
  {
    const std::lock_guard lock(mutex_);
    const auto first =
        std::partition(idle_.begin(), idle_.end(), [](const Idle& each) { return !each.doubted; });
    std::move(first, idle_.end(), std::back_inserter(useless));
    idle_.erase(first, idle_.end());
    open_ -= useless.size();
  }
  returned_.notify_all();
}

// Of a server that ended one connection, those that were idle meanwhile are useless, too. Where we
// ended one that was late, its work may have been all that was slow: the others are asked first.
void PostgresDatabase::Return(std::unique_ptr<PostgresConnection> connection, bool late) {
  std::vector<Idle> useless;
  const bool usable = !late && connection->usable();
  if (!usable) useless.push_back({std::move(connection), true});
  {
    const std::lock_guard lock(mutex_);
    if (usable) {
      idle_.push_back({std::move(connection), false});
    } else if (late) {
      for (Idle& each : idle_) each.doubted = true;
    } else {
      std::move(idle_.begin(), idle_.end(), std::back_inserter(useless));
      idle_.clear();
    }
    open_ -= useless.size();
  }
  returned_.notify_all();
}

PostgresDatabase::Attempt PostgresDatabase::TryWithin(PostgresConnection& connection,
                                                      Isolation isolation, const Work& verb) {
  using Next = Attempt::Next;
  if (const Status begun = connection.Begin(KindOf(isolation)); !begun.ok())
    return {connection.usable() ? Next::kDone : Next::kAgainWhenThere, begun};
  const Status result = Guarded(verb, connection);
  if (!connection.usable()) return {Next::kAgainWhenThere, result.ok() ? Status(Away()) : result};
  const auto refused = [&](const Status& status) -> Attempt {
    if (connection.collided()) return {Next::kAgainSoon, status};
    return {connection.found_duplicate() ? Next::kDuplicate : Next::kDone, status};
  };
  if (!result.ok() || connection.collided()) return refused(result);
  const PostgresConnection::End end = connection.Commit();
  if (end.fate == PostgresConnection::Fate::kCommitted) return {Next::kDone, {}};
  if (end.fate == PostgresConnection::Fate::kUnknown) return {Next::kUnknown, Unknown()};
  return refused(end.cause);
}

PostgresDatabase::Attempt PostgresDatabase::TryVerb(const Work& verb, Isolation isolation,
                                                    milliseconds deadline) {
  auto lease = Borrow();
  if (!lease.ok()) return {Attempt::Next::kAgainWhenThere, lease.error()};
  lease->Watch(deadline);
  return TryWithin(**lease, isolation, verb);
}

Status PostgresDatabase::RunWrite(const Work& verb, Isolation isolation, const Settled* settled) {
  Status result = Persist(verb, isolation, settled);
  failed_ = !result.ok() && result.error().code == Code::kUnavailable;
  return result;
}

Status PostgresDatabase::Persist(const Work& verb, Isolation isolation, const Settled* settled) {
  using Next = Attempt::Next;
  Patience patience(options_);
  int duplicates_left = kDuplicateRetries;
  bool doubt = false;  // an earlier attempt may have come to pass
  for (;;) {
    Attempt attempt = TryVerb(verb, isolation, options_.deadline);
    doubt = doubt || attempt.next == Next::kUnknown;
    if (attempt.next == Next::kDuplicate && duplicates_left-- == 0) attempt.next = Next::kDone;
    if (attempt.next != Next::kDone) {
      if (patience.Wait(attempt.next)) continue;
      if (!doubt) return attempt.status.ok() ? Status(Away()) : attempt.status;
      return Unknown();
    }
    if (!attempt.status.ok() && doubt) {  // perhaps refused because it had succeeded
      if (settled == nullptr) return Unknown();
      const auto is_settled = Read(*settled);
      if (!is_settled.ok()) return Unknown();
      if (*is_settled) return {};
    }
    return attempt.status;
  }
}

PostgresDatabase::Attempt PostgresDatabase::TryQuery(const Work& query, milliseconds deadline) {
  auto lease = Borrow();
  if (!lease.ok()) return {Attempt::Next::kAgainWhenThere, lease.error()};
  lease->Watch(deadline);
  Status result = Guarded(query, **lease);
  const bool there = (*lease)->usable();
  return {there ? Attempt::Next::kDone : Attempt::Next::kAgainWhenThere, std::move(result)};
}

Status PostgresDatabase::Repeat(const Work& query) {
  Patience patience(options_);
  for (;;) {
    Attempt attempt = TryQuery(query, options_.deadline);
    if (attempt.next == Attempt::Next::kDone || !patience.Wait(attempt.next)) {
      return std::move(attempt.status);
    }
  }
}

Status PostgresDatabase::RunRead(const Work& query) { return Repeat(query); }

Status PostgresDatabase::RunSnapshot(const Work& query) {
  return Repeat([&](Connection& connection) -> Status {
    auto& postgres = static_cast<PostgresConnection&>(connection);
    AGENTCA_TRY(postgres.Begin(PostgresConnection::Kind::kSnapshot));
    Status result = query(connection);
    postgres.Rollback();  // of a transaction that changed nothing
    return result;
  });
}

Status PostgresDatabase::RunSchema(const Work& work) {
  AGENTCA_ASSIGN(Lease lease, Borrow());
  lease.Watch(options_.migration);
  AGENTCA_TRY(lease->Begin(PostgresConnection::Kind::kReadCommitted));
  Status result = Guarded(work, *lease);
  if (!result.ok()) return result;
  const PostgresConnection::End end = lease->Commit();
  if (end.fate == PostgresConnection::Fate::kCommitted) return {};
  return end.fate == PostgresConnection::Fate::kUnknown ? Status(Unknown()) : end.cause;
}

Status PostgresDatabase::CheckHealth() {
  const Attempt looked = TryQuery([](Connection& connection) -> Status {
    Query row(connection, "SELECT current_setting('transaction_read_only')");
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (found && row.Text(0) == "off") return {};
    return Error{Code::kUnavailable, "the database cannot be written"};
  }, options_.patience);
  if (!looked.status.ok() || !failed_) return looked.status;
  const Attempt probed = TryVerb(
      [](Connection& connection) {
        return Query(connection, "UPDATE health SET probes = probes + 1 WHERE id = 1").Run();
      },
      Isolation::kSerializable, options_.patience);
  if (probed.next == Attempt::Next::kAgainSoon) return {};  // another writes it, so it can be written
  if (probed.status.ok()) failed_ = false;
  return probed.status;
}

}  // namespace agentca::storage
