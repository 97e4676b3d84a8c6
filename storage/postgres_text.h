// PostgreSQL's text forms of statements and values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/sql.h"

namespace agentca::storage {

// ? and ?N as $N; a ? has the number after the greatest before it. The text holds no other ?. The
// words of a comment that begins with FOR are no comment here.
std::string PostgresDialect(std::string_view sql);

// nullopt is NULL. kMalformed for a text with NUL, which PostgreSQL cannot hold.
Result<std::optional<std::string>> PostgresText(const SqlValue& value);
// bytea_output = hex; kInternal for anything else.
Result<Bytes> BytesFromPostgres(std::string_view text);

}  // namespace agentca::storage
