// What all backends in SQL have in common: everything but the database.
#pragma once

#include <memory>
#include <string>

#include "storage/open.h"
#include "storage/sql.h"

namespace agentca::storage {

enum class Users : uint8_t { kOneProcess, kNodes };  // of the database, in service

// `description`: see Backend::Describe. `node`: see Open.
std::unique_ptr<Backend> MakeSqlBackend(std::unique_ptr<Database> database, std::string description,
                                        ca::NodeId node, Users users);

}  // namespace agentca::storage
