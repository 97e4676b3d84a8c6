// The revocation lists that this node published last, or adopted: DIR/crl.
#pragma once

#include <filesystem>
#include <vector>

#include "acme/cli/config.h"
#include "ca/crl.h"

namespace agentca::cli {

inline constexpr size_t kMaxCrlFile = size_t{1} << 30;

struct Published {
  ca::IssuerId issuer;
  std::filesystem::path file;
  ca::CrlSummary summary;
};
// Those that are there and verify; a line in the log for one that does not.
Result<std::vector<Published>> ReadPublished(const Config& config);

}  // namespace agentca::cli
