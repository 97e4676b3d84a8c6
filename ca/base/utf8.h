// UTF-8 (RFC 3629): what text of strangers must be before it is stored, signed or written as JSON.
#pragma once

#include <cstddef>
#include <string_view>

namespace agentca {

// Length of the sequence at the start of `text`, which is not empty; 0 when there is none.
size_t Utf8Length(std::string_view text);
bool IsUtf8(std::string_view text);
// UTF-8 without control characters (C0, DEL, C1): it stays on its line, in a log as on a terminal.
bool IsPlainText(std::string_view text);

}  // namespace agentca
