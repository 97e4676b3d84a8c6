#include "storage/sqlite_schema.h"

#include "ca/base/log.h"
#include "ca/certificate.h"
#include "storage/migrations.h"

namespace agentca::storage {
namespace {

constexpr int64_t kApplicationId = 0x41674341;  // "AgCA", in the header of the file

Result<int64_t> Number(Connection& connection, const char* sql) {
  Query query(connection, sql);
  AGENTCA_ASSIGN(const bool row, query.Next());
  if (!row) return Error{Code::kInternal, "the database is damaged"};
  return query.Int(0);
}

// Schema 2 for the certificates that were there before it. One that our parser refuses today stays
// without a key; so does what was never issued.
Status FillInKeys(Connection& connection) {
  constexpr const char* kNext =
      "SELECT id, der FROM certificate_body WHERE id > ? AND der IS NOT NULL ORDER BY id LIMIT 1";
  for (int64_t id = 0;;) {
    Query row(connection, kNext, id);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) break;
    id = row.Int(0);
    const auto certificate = ca::Certificate::Parse(row.BlobView(1));
    AGENTCA_TRY(row.Run());
    if (!certificate.ok()) continue;
    AGENTCA_TRY(Query(connection, "UPDATE certificate_body SET spki_sha256 = ? WHERE id = ?",
                      certificate->key.spki_sha256(), id)
                    .Run());
  }
  return Query(
             connection,
             "INSERT INTO compromised_key SELECT DISTINCT b.spki_sha256 FROM certificate_status s "
             "JOIN certificate_body b ON b.id = s.body "
             "WHERE s.revoked_at IS NOT NULL AND s.reason = ? AND b.spki_sha256 IS NOT NULL",
             static_cast<int>(ca::Reason::kKeyCompromise))
      .Run();
}

Status Apply(Connection& connection, const Migration& migration) {
  AGENTCA_TRY(connection.Execute(std::string(migration.sql).c_str()));
  if (migration.version == 2) AGENTCA_TRY(FillInKeys(connection));
  const std::string stamp = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(migration.version);
  return connection.Execute(stamp.c_str());
}

Result<int64_t> ReadSchema(Connection& connection) {
  AGENTCA_ASSIGN(const int64_t version, Number(connection, "PRAGMA user_version"));
  if (version > LatestSchema()) {
    return Error{Code::kConflict, "it has schema " + std::to_string(version) +
                                      ", but this program knows schemas up to " +
                                      std::to_string(LatestSchema()) +
                                      ": a newer version of agentca has used it"};
  }
  AGENTCA_ASSIGN(const int64_t application, Number(connection, "PRAGMA application_id"));
  AGENTCA_ASSIGN(const int64_t objects, Number(connection, "SELECT count(*) FROM sqlite_schema"));
  const bool fresh = version == 0 && application == 0 && objects == 0;
  if (!fresh && (version <= 0 || application != kApplicationId)) {
    return Error{Code::kConflict, "it is a database of another program"};
  }
  return version;
}

// Reads the version again under the lock: another process may have been quicker.
Status Step(Connection& connection) {
  AGENTCA_TRY(connection.Execute("BEGIN IMMEDIATE"));
  auto version = SchemaOf(connection);
  Status applied = version.ok() ? Status() : Status(version.error());
  if (version.ok() && *version < LatestSchema()) {
    applied = Apply(connection, SqliteMigrations()[static_cast<size_t>(*version)]);
  }
  if (applied.ok()) applied = connection.Execute("COMMIT");
  if (!applied.ok() && connection.in_transaction()) (void)connection.Execute("ROLLBACK");
  return applied;
}

}  // namespace

// Another process may be creating it: what is compared must be of one moment.
Result<int64_t> SchemaOf(Connection& connection) {
  if (connection.in_transaction()) return ReadSchema(connection);
  AGENTCA_TRY(connection.Execute("BEGIN"));
  auto version = ReadSchema(connection);
  AGENTCA_TRY(connection.Execute("COMMIT"));
  return version;
}

int LatestSchema() { return SqliteMigrations().back().version; }

Status CheckSchema(Connection& connection) {
  AGENTCA_TRY(SchemaOf(connection));
  return {};
}

Status Migrate(Connection& connection) {
  for (;;) {
    AGENTCA_ASSIGN(const int64_t version, SchemaOf(connection));
    if (version == LatestSchema()) return {};
    Log(Level::kInfo, "migrating database", {{"from_schema", std::to_string(version)}});
    AGENTCA_TRY(Step(connection));
  }
}

}  // namespace agentca::storage
