// A connection to a PostgreSQL server and the statements prepared on it. The only user of libpqxx.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "storage/open.h"
#include "storage/postgres_watch.h"
#include "storage/sql.h"

namespace agentca::storage {

// What tests narrow down; the defaults are what the program uses.
struct PostgresOptions {
  std::chrono::milliseconds statement_timeout{10'000};  // of one statement, kept by the server
  std::chrono::milliseconds deadline{20'000};           // of one transaction, kept by us
  std::chrono::milliseconds patience{3'000};            // for a server that is away
  std::chrono::milliseconds migration{600'000};         // of a change of the schema
  std::chrono::milliseconds retrying{15'000};           // of transactions that get into each other's way
  size_t max_connections = kConnections;
};

class PostgresConnection final : public Connection {
 public:
  // Takes connect_timeout of each host at most, and then what `watch` allows.
  static Result<std::unique_ptr<PostgresConnection>> Open(const std::string& conninfo,
                                                          const PostgresOptions& options,
                                                          PostgresWatch& watch);
  ~PostgresConnection() override;

  Status Execute(const char* sql) override;
  Result<Statement*> Prepare(const char* sql) override;
  bool in_transaction() const override;
  const char* clock_sql() const override {
    return "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
  }

  // Of a transaction. kStatements: of what is none, where Commit does nothing.
  enum class Kind { kSerializable, kReadCommitted, kSnapshot, kStatements };
  Status Begin(Kind kind);
  enum class Fate { kCommitted, kRolledBack, kUnknown };
  struct End {
    Fate fate;
    Status cause;  // of a commit that failed
  };
  End Commit();
  void Rollback();

  // False: the server is gone, or is one that cannot be written to; the connection is of no use.
  bool usable() const;
  // The transaction got into the way of another: running it again may succeed.
  bool collided() const;
  // A key was there already, perhaps by a transaction that ran beside this one.
  bool found_duplicate() const;
  // Of the connection, but not libpq's own descriptor: libpq closes that one when the server goes,
  // and its number may then be another's. This one is good while the connection object lives.
  int socket() const;

 private:
  class Impl;
  class PreparedStatement;
  explicit PostgresConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace agentca::storage
