#include "storage/postgres_database.h"

#include <algorithm>
#include <random>
#include <thread>

#include "ca/base/log.h"

namespace agentca::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDuplicateRetries = 3;
constexpr milliseconds kFirstConnectPause{50};
constexpr milliseconds kLongestConnectPause{1'000};

Error Away() { return {Code::kUnavailable, "the database cannot be reached"}; }
Error Unknown() {
  return {Code::kUnavailable, "the database was lost in the middle; nothing is known of the effect"};
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
    const bool collision = why == Attempt::Next::kAgainSoon;
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
  if (connection_ != nullptr) owner_->Return(std::move(connection_));
}

PostgresDatabase::PostgresDatabase(std::string conninfo, PostgresOptions options)
    : conninfo_(std::move(conninfo)), options_(options) {}

// A server that refused a moment ago is not asked again by everybody at once.
Result<PostgresDatabase::Lease> PostgresDatabase::Borrow() {
  std::unique_lock lock(mutex_);
  const bool free = returned_.wait_for(lock, options_.patience, [this] {
    return !idle_.empty() || open_ < options_.max_connections;
  });
  if (!free) return Error{Code::kUnavailable, "the database is busy"};
  if (!idle_.empty()) {
    Lease lease(*this, std::move(idle_.back()));
    idle_.pop_back();
    return lease;
  }
  if (steady_clock::now() < no_connect_before_) return Away();
  ++open_;
  lock.unlock();
  auto connection = PostgresConnection::Open(conninfo_, options_);
  lock.lock();
  if (connection.ok()) {
    connect_pause_ = milliseconds(0);
    return Lease(*this, *std::move(connection));
  }
  --open_;
  connect_pause_ = std::clamp(connect_pause_ * 2, kFirstConnectPause, kLongestConnectPause);
  no_connect_before_ = steady_clock::now() + connect_pause_;
  returned_.notify_one();
  return std::move(connection).error();
}

void PostgresDatabase::Return(std::unique_ptr<PostgresConnection> connection) {
  connection->Rollback();
  const bool usable = connection->usable();
  std::vector<std::unique_ptr<PostgresConnection>> useless;
  if (!usable) useless.push_back(std::move(connection));
  {
    const std::lock_guard lock(mutex_);
    if (usable) {
      idle_.push_back(std::move(connection));
    } else {  // so will be those that were idle meanwhile
      open_ -= 1 + idle_.size();
      std::move(idle_.begin(), idle_.end(), std::back_inserter(useless));
      idle_.clear();
    }
  }
  returned_.notify_all();
}

PostgresDatabase::Attempt PostgresDatabase::TryWithin(PostgresConnection& connection,
                                                      const Work& verb, int duplicates_left) {
  using Next = Attempt::Next;
  if (const Status begun = connection.Begin(PostgresConnection::Kind::kSerializable); !begun.ok())
    return {Next::kAgainWhenThere, begun};
  const Status result = Guarded(verb, connection);
  if (!connection.usable()) return {Next::kAgainWhenThere, result.ok() ? Status(Away()) : result};
  if (connection.collided()) return {Next::kAgainSoon, result};
  if (!result.ok()) {
    // What looks like a key in use may be one of a transaction beside this one.
    const bool again = connection.found_duplicate() && duplicates_left > 0;
    return {again ? Next::kAgainSoon : Next::kDone, result};
  }
  const PostgresConnection::End end = connection.Commit();
  if (end.fate == PostgresConnection::Fate::kCommitted) return {Next::kDone, {}};
  if (end.fate == PostgresConnection::Fate::kUnknown) return {Next::kUnknown, Unknown()};
  return {connection.collided() ? Next::kAgainSoon : Next::kDone, end.cause};
}

PostgresDatabase::Attempt PostgresDatabase::TryVerb(const Work& verb, int duplicates_left) {
  auto lease = Borrow();
  if (!lease.ok()) return {Attempt::Next::kAgainWhenThere, lease.error()};
  const PostgresWatch::Deadline deadline(watch_, (*lease)->socket(), options_.deadline);
  Attempt attempt = TryWithin(**lease, verb, duplicates_left);
  (*lease)->Rollback();
  return attempt;
}

Status PostgresDatabase::RunWrite(const Work& verb, const Settled* settled) {
  Status result = Persist(verb, settled);
  failed_ = !result.ok() && result.error().code == Code::kUnavailable;
  return result;
}

Status PostgresDatabase::Persist(const Work& verb, const Settled* settled) {
  using Next = Attempt::Next;
  Patience patience(options_);
  bool doubt = false;  // an earlier attempt may have come to pass
  for (int duplicates_left = kDuplicateRetries;; --duplicates_left) {
    const Attempt attempt = TryVerb(verb, duplicates_left);
    doubt = doubt || attempt.next == Next::kUnknown;
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

PostgresDatabase::Attempt PostgresDatabase::TryQuery(const Work& query) {
  auto lease = Borrow();
  if (!lease.ok()) return {Attempt::Next::kAgainWhenThere, lease.error()};
  const PostgresWatch::Deadline deadline(watch_, (*lease)->socket(), options_.deadline);
  Status result = Guarded(query, **lease);
  const bool there = (*lease)->usable();
  return {there ? Attempt::Next::kDone : Attempt::Next::kAgainWhenThere, std::move(result)};
}

Status PostgresDatabase::RunRead(const Work& query) {
  Patience patience(options_);
  for (;;) {
    Attempt attempt = TryQuery(query);
    if (attempt.next == Attempt::Next::kDone || !patience.Wait(attempt.next)) {
      return std::move(attempt.status);
    }
  }
}

Status PostgresDatabase::RunSnapshot(const Work& query) {
  bool began = false;
  Patience patience(options_);
  for (;;) {
    Attempt attempt = TryQuery([&](Connection& connection) -> Status {
      auto& postgres = static_cast<PostgresConnection&>(connection);
      AGENTCA_TRY(postgres.Begin(PostgresConnection::Kind::kSnapshot));
      began = true;
      Status result = query(connection);
      postgres.Rollback();  // of a transaction that changed nothing
      return result;
    });
    if (began || attempt.next == Attempt::Next::kDone || !patience.Wait(attempt.next))
      return std::move(attempt.status);
  }
}

Status PostgresDatabase::RunSchema(const Work& work) {
  AGENTCA_ASSIGN(const Lease lease, Borrow());
  AGENTCA_TRY(lease->Begin(PostgresConnection::Kind::kSchema));
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
  });
  if (!looked.status.ok() || !failed_) return looked.status;
  const Attempt probed = TryVerb(
      [](Connection& connection) {
        return Query(connection, "UPDATE health SET probes = probes + 1 WHERE id = 1").Run();
      },
      0);
  if (probed.next == Attempt::Next::kAgainSoon) return {};  // another writes it, so it can be written
  if (probed.status.ok()) failed_ = false;
  return probed.status;
}

}  // namespace agentca::storage
