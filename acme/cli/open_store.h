// The store as commands for the whole of it want it.
#pragma once

#include <memory>

#include "acme/cli/config.h"
#include "storage/open.h"

namespace agentca::cli {

struct OpenedStore {
  std::unique_ptr<storage::Backend> backend;
  storage::Maintenance* maintenance;  // its own
};
// Sets the level of the log. kMalformed for memory:, which ends with each program.
Result<OpenedStore> OpenStore(const Config& config, storage::OpenMode mode);

}  // namespace agentca::cli
