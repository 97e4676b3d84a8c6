// What a failure of PostgreSQL's means for us.
#pragma once

#include <string_view>

#include "ca/base/result.h"

namespace agentca::storage {

// By SQLSTATE ("" when the connection broke); PostgreSQL's own words go to the log.
struct PostgresFailure {
  Error error;
  bool collision = false;  // with another transaction, which may be over by now
  bool duplicate = false;  // of a key; or the row that a key refers to is gone
  bool useless = false;    // so is the connection from now on
};
PostgresFailure JudgeSqlState(std::string_view state);
// Of a connection that was not made. libpq gives no SQLSTATE for these, only its words, which are
// told apart for the operator; every one is kUnavailable.
Error JudgeConnectFailure(std::string_view words);

}  // namespace agentca::storage
