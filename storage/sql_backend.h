// What all backends in SQL have in common: everything but the database.
#pragma once

#include <memory>
#include <string>

#include "storage/open.h"
#include "storage/sql.h"

namespace agentca::storage {

// `description`: see Backend::Describe. `node`: see Open.
std::unique_ptr<Backend> MakeSqlBackend(std::unique_ptr<Database> database, std::string description,
                                        ca::NodeId node);

}  // namespace agentca::storage
