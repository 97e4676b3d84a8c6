// Brings a file to the schema of this program.
#pragma once

#include "storage/sqlite_connection.h"

namespace agentca::storage {

// kConflict: the file has a newer schema, or is not ours. An empty file is fine.
Status CheckSchema(Connection& connection);
Result<int64_t> SchemaOf(Connection& connection);  // likewise; 0: an empty file
// Applies the migrations that are missing, each in a transaction of its own, and is safe against
// another process that does the same. Errors as CheckSchema's.
Status Migrate(Connection& connection);
int LatestSchema();

}  // namespace agentca::storage
