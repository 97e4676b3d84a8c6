// A connection to an SQLite file and the statements prepared on it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace agentca::storage {

// What tests narrow down; the defaults are what the program uses.
struct SqliteOptions {
  std::chrono::milliseconds busy_timeout{5'000};  // for the lock of another process
  int64_t max_pages = 0;                          // of the file; 0: no limit of our own
};

// Used by one thread at a time. Errors: kUnavailable when the file is busy, full, unreadable or
// gone; kConflict for a constraint; kInternal for a damaged file or a statement of ours that is
// wrong. SQLite's own words go to the log, because details may reach clients.
class Connection {
 public:
  enum class Access { kRead, kWrite };
  static Result<std::unique_ptr<Connection>> Open(const std::filesystem::path& file, Access access,
                                                  const SqliteOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Runs statements that return nothing of interest. Not cached.
  Status Execute(const char* sql);
  bool in_transaction() const;
  // Rows inserted, updated or deleted since the connection was opened.
  int64_t changes() const;
  int64_t last_row() const;  // rowid of the last insert into a table that has them
  // Whether the name of the file still leads to the file that is open.
  bool moved() const;
  Error ErrorOf(int code) const;

 private:
  friend class Query;
  explicit Connection(sqlite3* db) : db_(db) {}
  Status Configure(Access access, const SqliteOptions& options);
  // `sql` is a literal: its address is the key.
  Result<sqlite3_stmt*> Prepare(const char* sql);

  sqlite3* db_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
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

  Query& Bind(std::string_view text);
  Query& Bind(const std::string& text) { return Bind(std::string_view(text)); }
  Query& Bind(const char* text) { return Bind(std::string_view(text)); }
  Query& Bind(ByteView blob);
  Query& Bind(const Bytes& blob) { return Bind(ByteView(blob)); }
  Query& Bind(int64_t number);
  Query& Bind(int number) { return Bind(int64_t{number}); }
  Query& Bind(bool flag) { return Bind(int64_t{flag}); }
  Query& Bind(Time time) { return Bind(int64_t{time.time_since_epoch().count()}); }
  template <class T>
  Query& Bind(const std::optional<T>& value) {
    return value ? Bind(*value) : BindNull();
  }

  // Columns count from 0 and are taken in any order.
  std::string Text(int column);
  Bytes Blob(int column);
  ByteView BlobView(int column);  // until the next call of Next
  int64_t Int(int column);
  bool Flag(int column) { return Int(column) != 0; }
  Time At(int column) { return Time(Seconds(Int(column))); }
  bool IsNull(int column) const;
  std::optional<Time> OptionalAt(int column);
  std::optional<std::string> OptionalText(int column);
  bool intact() const { return intact_; }

 private:
  Query& BindNull();
  void Note(int code);
  bool Has(int column, int type);

  Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  Status status_;  // of preparing and binding
  int bound_ = 0;
  bool intact_ = true;
};

}  // namespace agentca::storage
