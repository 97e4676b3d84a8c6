#include "storage/postgres_schema.h"

#include <string>

#include "ca/base/log.h"
#include "storage/migrations.h"

namespace agentca::storage {
namespace {

// Programs of this schema and later ones can use a database that has our newest. To be raised with a
// migration that those before it cannot live with: before 7, verbs were kept apart otherwise.
constexpr int64_t kOldestProgram = 7;

constexpr const char* kMakeVersion =
    "CREATE TABLE IF NOT EXISTS agentca_schema (id BIGINT PRIMARY KEY CHECK (id = 1), "
    "version BIGINT NOT NULL, oldest_program BIGINT NOT NULL)";
constexpr const char* kFirstVersion =
    "INSERT INTO agentca_schema (id, version, oldest_program) VALUES (1, 0, 0) "
    "ON CONFLICT (id) DO NOTHING";

int64_t Latest() { return PostgresMigrations().back().version; }

struct Schema {
  int64_t version = 0;  // 0: nothing of ours is there
  int64_t oldest_program = 0;
};

Result<bool> HasTable(Connection& connection, const char* name) {
  Query row(connection,
            "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() "
            "AND table_name = ?",
            name);
  return row.Next();
}

// With `sql` the caller decides whether the row is locked.
Result<Schema> ReadSchema(Connection& connection, const char* sql) {
  Query row(connection, sql);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return Schema{};
  const Schema schema{row.Int(0), row.Int(1)};
  if (!row.intact()) return Error{Code::kInternal, "the database is damaged"};
  return schema;
}

Result<Schema> SchemaOf(Connection& connection) {
  AGENTCA_ASSIGN(const bool ours, HasTable(connection, "agentca_schema"));
  if (ours) return ReadSchema(connection, "SELECT version, oldest_program FROM agentca_schema");
  AGENTCA_ASSIGN(const bool foreign, HasTable(connection, "acme_account"));
  if (foreign) return Error{Code::kConflict, "it is a database of another program"};
  return Schema{};
}

Status CheckUsable(const Schema& schema) {
  if (schema.version <= Latest() || schema.oldest_program <= Latest()) return {};
  return Error{Code::kConflict, "it has schema " + std::to_string(schema.version) +
                                    ", but this program knows schemas up to " +
                                    std::to_string(Latest()) +
                                    ": a newer version of agentca has used it"};
}

Status Apply(Connection& connection, const Migration& migration) {
  Log(Level::kInfo, "migrating database", {{"to_schema", std::to_string(migration.version)}});
  AGENTCA_TRY(connection.Execute(std::string(migration.sql).c_str()));
  return Query(connection, "UPDATE agentca_schema SET version = ?, oldest_program = ?",
               migration.version, kOldestProgram)
      .Run();
}

// One transaction. Of several programs that start at once, one migrates while the others wait for
// its row. A table that is in use is not waited for long: those who wait behind us would stand still.
Status Migrate(Connection& connection) {
  AGENTCA_TRY(connection.Execute("SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = 0"));
  AGENTCA_TRY(connection.Execute(kFirstVersion));
  AGENTCA_ASSIGN(
      const Schema schema,
      ReadSchema(connection, "SELECT version, oldest_program FROM agentca_schema FOR UPDATE"));
  for (const Migration& each : PostgresMigrations())
    if (each.version > schema.version) AGENTCA_TRY(Apply(connection, each));
  return {};
}

}  // namespace

Result<int> LookAtPostgres(PostgresDatabase& database) {
  AGENTCA_ASSIGN(const Schema found, database.Read(SchemaOf));
  AGENTCA_TRY(CheckUsable(found));
  return static_cast<int>(found.version);
}

Result<int> PreparePostgres(PostgresDatabase& database, OpenMode mode) {
  AGENTCA_ASSIGN(const Schema found, database.Read(SchemaOf));
  if (found.version == 0 && mode == OpenMode::kExisting)
    return Error{Code::kNotFound, "nothing of agentca's is in it"};
  AGENTCA_TRY(CheckUsable(found));
  if (found.version < Latest()) {
    // Apart: two programs that make it at once collide, and one of them must see that it is there.
    if (!database.RunSchema([](Connection& c) { return c.Execute(kMakeVersion); }).ok())
      AGENTCA_TRY(database.RunSchema([](Connection& c) { return c.Execute(kMakeVersion); }));
    AGENTCA_TRY(database.RunSchema(Migrate));
  }
  AGENTCA_ASSIGN(const Schema now, database.Read(SchemaOf));
  return static_cast<int>(now.version);
}

}  // namespace agentca::storage
