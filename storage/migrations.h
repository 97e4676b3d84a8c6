// The schema, step by step; the files under migrations/ become part of the program when it is
// built. A file that was released never changes: a new one is added.
#pragma once

#include <span>
#include <string_view>

namespace agentca::storage {

struct Migration {
  int version;  // without gaps; the same schema has the same version everywhere
  std::string_view name;  // of its file, without number and ending
  std::string_view sql;
};
// From 1. Those of PostgreSQL begin with the whole of what was there when it was added.
std::span<const Migration> SqliteMigrations();
std::span<const Migration> PostgresMigrations();

}  // namespace agentca::storage
