// Where a PostgreSQL server is and how it is spoken to.
#pragma once

#include <string>
#include <string_view>

#include "ca/base/result.h"

namespace agentca::storage {

struct PostgresUri {
  std::string conninfo;     // for libpq, with our defaults for what the URI leaves open
  std::string description;  // "postgresql://agentca@db1.example:5432/agentca", fit for logs
};

// postgresql://[user@]host[:port][,…]/database[?option=…], as libpq defines it. kMalformed: not of
// that form, or with a password in it, which every list of processes and every log would show.
Result<PostgresUri> ParsePostgresUri(std::string_view uri);

}  // namespace agentca::storage
