// The backend for several nodes: a PostgreSQL database, or one that speaks its protocol and SQL.
#pragma once

#include <string_view>

#include "storage/open.h"
#include "storage/postgres_connection.h"

namespace agentca::storage {

// As Open(). The database exists; what is ours in it is made by kCreate.
Result<std::unique_ptr<Backend>> OpenPostgres(std::string_view uri, OpenMode mode,
                                              const PostgresOptions& options = {},
                                              const ca::NodeId& node = {});
// As LookAtSchema().
Result<int> PostgresSchemaOf(std::string_view uri);

}  // namespace agentca::storage
