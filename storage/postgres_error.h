// What a failure of PostgreSQL's means for us.
#pragma once

#include <string_view>

#include "ca/base/result.h"

namespace agentca::storage {

// By SQLSTATE ("" when the connection broke); PostgreSQL's own words go to the log.
struct PostgresFailure {
  Error error;
  bool collision = false;  // with another transaction, which may be over by now
  bool duplicate = false;  // of a key
  bool useless = false;    // so is the connection from now on
};
PostgresFailure JudgeSqlState(std::string_view state);

}  // namespace agentca::storage
