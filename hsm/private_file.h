// Files with secrets in them.
#pragma once

#include <filesystem>

#include "ca/base/bytes.h"

namespace agentca::hsm {

// Creates `file` (0600), writes `content` and makes both durable. kConflict when it exists;
// kUnavailable when it cannot be written, in which case it is removed.
Status CreatePrivateFile(const std::filesystem::path& file, ByteView content);

}  // namespace agentca::hsm
