// The schema, step by step; the files under migrations/ become part of the program when it is
// built. A file that was released never changes: a new one is added.
#pragma once

#include <span>
#include <string_view>

namespace agentca::storage {

struct Migration {
  int version;  // 1, 2, 3 … without gaps
  std::string_view sql;
};
std::span<const Migration> SqliteMigrations();

}  // namespace agentca::storage
