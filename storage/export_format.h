// What `agentca db export` writes: lines of JSON, of which the first is an object that names the
// format; then for each table an object that names it, an array for each row, and an object with
// their number and digest; last an object with the number of tables and the digest of all. See
// agentca(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace agentca::storage {

inline constexpr std::string_view kExportFormat = "agentca-export";
inline constexpr int64_t kExportVersion = 1;
// A longer line is refused when it is written: it could not be read again.
inline constexpr size_t kMaxExportLine = size_t{1} << 29;

}  // namespace agentca::storage
