#include "acme/cli/open_store.h"

namespace agentca::cli {

Result<OpenedStore> OpenStore(const Config& config, storage::OpenMode mode) {
  SetLogLevel(config.log_level);
  AGENTCA_ASSIGN(auto backend, storage::Open(config.storage, mode, {}, storage::Pace::kPatient));
  storage::Maintenance* maintenance = backend->maintenance();
  if (maintenance == nullptr)
    return Error{
        Code::kMalformed,
        "storage memory: ends with the program that uses it; there is nothing to look after"};
  return OpenedStore{std::move(backend), maintenance};
}

}  // namespace agentca::cli
