// What the verbs of storage/sql_*.cc are written against: portable SQL on a connection of a driver
// (storage/sqlite_*, storage/postgres_*).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/result.h"
#include "storage/key_cache.h"

namespace agentca::storage {

struct SqlNull {};
using SqlValue = std::variant<SqlNull, int64_t, std::string_view, ByteView>;

// A prepared statement, which runs once at a time.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual Status Bind(int position, const SqlValue& value) = 0;  // from 1; the value is copied
  virtual Result<bool> Step() = 0;                               // true: there is a row
  virtual void Reset() = 0;
  // Columns of the row, from 0. nullopt: of another type, or NULL.
  virtual bool IsNull(int column) const = 0;
  virtual std::optional<int64_t> Int(int column) const = 0;
  virtual std::optional<std::string_view> Text(int column) const = 0;  // until the next Step
  virtual std::optional<ByteView> Blob(int column) = 0;                // until the next Step
};

// Used by one thread at a time. Errors: kUnavailable when the database is busy, full, unreadable or
// gone; kConflict for a constraint; kInternal for a damaged database or a statement of ours that is
// wrong. The database's own words go to the log, because details may reach clients.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  // Runs statements that return nothing of interest. Not cached.
  virtual Status Execute(const char* sql) = 0;
  // `sql` is a literal: its address is the key. Parameters are written ? or ?N. The words of a
  // comment that begins with FOR, such as FOR UPDATE, hold where transactions run side by side: they
  // lock the rows that the SELECT finds until the transaction ends.
  virtual Result<Statement*> Prepare(const char* sql) = 0;
  virtual bool in_transaction() const = 0;
  // A literal that selects the time of the database's clock, in milliseconds since 1970: SQL has no
  // one word for it.
  virtual const char* clock_sql() const = 0;
};

// One execution of a statement, which is a string literal. Parameters are bound in order and
// copied. A column of another type than the one asked for gives an empty value and makes intact()
// false.
class Query {
 public:
  template <class... Parameters>
  Query(Connection& connection, const char* sql, const Parameters&... parameters)
      : Query(connection, sql) {
    (Bind(parameters), ...);
  }
  Query(Connection& connection, const char* sql);
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  Result<bool> Next();  // true: there is a row
  Status Run();         // to the end
  Query& Again();       // ready for another set of parameters

  Query& Bind(std::string_view text) { return BindValue(text); }
  Query& Bind(const std::string& text) { return BindValue(std::string_view(text)); }
  Query& Bind(const char* text) { return BindValue(std::string_view(text)); }
  Query& Bind(ByteView blob) { return BindValue(blob); }
  Query& Bind(const Bytes& blob) { return BindValue(ByteView(blob)); }
  Query& Bind(int64_t number) { return BindValue(number); }
  Query& Bind(int number) { return BindValue(int64_t{number}); }
  Query& Bind(bool flag) { return BindValue(int64_t{flag}); }
  Query& Bind(Time time) { return BindValue(int64_t{time.time_since_epoch().count()}); }
  template <class T>
  Query& Bind(const std::optional<T>& value) {
    return value ? Bind(*value) : BindValue(SqlNull{});
  }

  // Columns count from 0 and are taken in any order.
  std::string Text(int column);
  Bytes Blob(int column) { return ToBytes(BlobView(column)); }
  ByteView BlobView(int column);  // until the next call of Next
  int64_t Int(int column);
  bool Flag(int column) { return Int(column) != 0; }
  Time At(int column) { return Time(Seconds(Int(column))); }
  bool IsNull(int column) const { return statement_->IsNull(column); }
  std::optional<Time> OptionalAt(int column);
  std::optional<std::string> OptionalText(int column);
  bool intact() const { return intact_; }
  // The same, and what follows is judged anew: for those who go on after a damaged row.
  bool TakeIntact() { return std::exchange(intact_, true); }

 private:
  Query& BindValue(const SqlValue& value);

  Statement* statement_ = nullptr;
  Status status_;  // of preparing and binding
  int bound_ = 0;
  bool intact_ = true;
};

// What keeps a verb apart from those beside it, where verbs run side by side.
enum class Isolation : uint8_t {
  kSerializable,  // those that are do together what they would do one after another
  kLocks,         // locks of its own: each statement sees what was committed before it began
  kStatements     // nothing, not even a transaction: each statement commits by itself
};

// Thread-safe. A verb or query is Connection& → Status or Result. A driver may run it again, from
// the start and on another connection, when the database asks for that: it changes nothing but its
// own result.
class Database {
 public:
  // Is the effect of a verb in the database? Asked when it is refused after an attempt whose end
  // nobody knows.
  using Settled = std::function<Result<bool>(Connection&)>;

  virtual ~Database() = default;

  // Runs `verb` in a transaction that is durable upon success. A verb that many run at once is
  // better isolated by locks: SERIALIZABLE refuses neighbours that share no more than a page of an
  // index. It must then lock each row that it decides by and that another verb may change.
  template <class Verb>
  auto Write(const Verb& verb, Isolation isolation = Isolation::kSerializable)
      -> std::invoke_result_t<Verb, Connection&> {
    using Outcome = std::invoke_result_t<Verb, Connection&>;
    std::optional<Outcome> outcome;
    AGENTCA_TRY(RunWrite(Keep(verb, outcome), isolation, nullptr));
    return *std::move(outcome);
  }
  // The same for a verb whose first attempt may have come to pass though the connection broke.
  template <class Verb>
  Status Write(const Verb& verb, const Settled& settled,
               Isolation isolation = Isolation::kSerializable) {
    return RunWrite([&](Connection& connection) -> Status { return verb(connection); }, isolation,
                    &settled);
  }

  // Each statement sees what was committed before it began.
  template <class F>
  auto Read(const F& query) -> std::invoke_result_t<F, Connection&> {
    using Outcome = std::invoke_result_t<F, Connection&>;
    std::optional<Outcome> outcome;
    AGENTCA_TRY(RunRead(Keep(query, outcome)));
    return *std::move(outcome);
  }
  // All statements see one state. Keep it short: a driver puts an end to what takes long.
  template <class F>
  auto ReadSnapshot(const F& query) -> std::invoke_result_t<F, Connection&> {
    using Outcome = std::invoke_result_t<F, Connection&>;
    std::optional<Outcome> outcome;
    AGENTCA_TRY(RunSnapshot(Keep(query, outcome)));
    return *std::move(outcome);
  }

  virtual Status CheckHealth() = 0;
  // What the database itself finds wrong with how it is stored, in its own words; it may have no
  // means to tell.
  virtual Status CheckStorage(const std::function<void(const std::string&)>&) { return {}; }
  KeyCache& keys() { return keys_; }

 protected:
  using Work = std::function<Status(Connection&)>;
  virtual Status RunWrite(const Work& verb, Isolation isolation, const Settled* settled) = 0;
  virtual Status RunRead(const Work& query) = 0;
  virtual Status RunSnapshot(const Work& query) = 0;
  // Exceptions (memory) stay within the work that raised them.
  static Status Guarded(const Work& work, Connection& connection);

 private:
  template <class F, class Outcome>
  static Work Keep(const F& work, std::optional<Outcome>& outcome) {
    return [&work, &outcome](Connection& connection) -> Status {
      outcome = work(connection);
      if (!outcome->ok()) return outcome->error();
      return {};
    };
  }

  KeyCache keys_;
};

// Ids of rows in the order of their making, without asking the database for the last: milliseconds
// since 1970 before 20 random bits. Not unique by itself: insert with ON CONFLICT DO NOTHING and draw
// again.
int64_t NewRowId();
// Less than every id that was drawn at `time` or later.
int64_t FirstRowIdOf(Time time);

}  // namespace agentca::storage
