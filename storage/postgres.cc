#include "storage/postgres.h"

#include "storage/postgres_database.h"
#include "storage/postgres_schema.h"
#include "storage/postgres_uri.h"
#include "storage/sql_backend.h"

namespace agentca::storage {

Result<std::unique_ptr<Backend>> OpenPostgres(std::string_view uri, OpenMode mode,
                                              const PostgresOptions& options,
                                              const ca::NodeId& node) {
  AGENTCA_ASSIGN(const PostgresUri parsed, ParsePostgresUri(uri));
  auto database = std::make_unique<PostgresDatabase>(parsed.conninfo, options);
  const auto schema = PreparePostgres(*database, mode);
  if (!schema.ok()) {
    const Error& error = schema.error();
    return Error{error.code, "database " + parsed.description + ": " + error.detail};
  }
  return MakeSqlBackend(std::move(database),
                        parsed.description + ", schema " + std::to_string(*schema), node,
                        Users::kNodes);
}

Result<int> PostgresSchemaOf(std::string_view uri) {
  AGENTCA_ASSIGN(const PostgresUri parsed, ParsePostgresUri(uri));
  PostgresDatabase database(parsed.conninfo, {});
  const auto schema = LookAtPostgres(database);
  if (schema.ok()) return *schema;
  return Error{schema.error().code,
               "database " + parsed.description + ": " + schema.error().detail};
}

}  // namespace agentca::storage
