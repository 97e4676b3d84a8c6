// The form of one line of a ChainedLog (ca/audit.h): JSON written and read without a JSON library.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "ca/base/clock.h"
#include "ca/base/log.h"

namespace agentca::ca {

// What stands between seq and prev: all of a line that does not depend on its place in the chain.
// Octets that are not UTF-8 become U+FFFD, so that every line is JSON whatever a client sent.
std::string AuditBody(std::string_view event, std::initializer_list<Field> fields, Time now);
// Appends the line, without LF, to `out`.
void AppendAuditLine(uint64_t seq, std::string_view body, std::string_view prev, std::string& out);

struct AuditLine {
  uint64_t seq;
  std::string_view prev;  // into the line
};
// The members that chain lines; nullopt when `line` is not of our form.
std::optional<AuditLine> ParseAuditLine(std::string_view line);

std::string HashOfLine(std::string_view line);  // hex SHA-256
std::string FirstPrev();                        // 64 zeros

}  // namespace agentca::ca
