// The embedded backend: one SQLite file in WAL mode, synchronous=FULL.
#pragma once

#include <filesystem>

#include "storage/open.h"
#include "storage/sqlite_connection.h"

namespace agentca::storage {

// As Open(). A new file is readable and writable by its owner alone (0600). Another process may
// have the same file open.
Result<std::unique_ptr<Backend>> OpenSqlite(const std::filesystem::path& file, OpenMode mode,
                                            const SqliteOptions& options = {},
                                            const ca::NodeId& node = {});
// As LookAtSchema().
Result<int> SqliteSchemaOf(const std::filesystem::path& file);

}  // namespace agentca::storage
