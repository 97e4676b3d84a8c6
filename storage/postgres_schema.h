// Which schema a PostgreSQL database has, and the way to ours, while other nodes use it.
#pragma once

#include "storage/open.h"
#include "storage/postgres_database.h"

namespace agentca::storage {

// Brings the database to this program's schema, unless it has a newer one that this program may use
// as well: nodes are replaced one by one, and the old ones serve until then. Returns the schema it
// has. kNotFound: nothing of ours is there, and `mode` is kExisting; kConflict: a schema that is too
// new, or a database of another program.
Result<int> PreparePostgres(PostgresDatabase& database, OpenMode mode);

// Changes nothing; 0: nothing of ours is there. kConflict as PreparePostgres.
Result<int> LookAtPostgres(PostgresDatabase& database);

}  // namespace agentca::storage
