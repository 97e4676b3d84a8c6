#include "storage/memory_cluster.h"

#include "storage/transitions.h"

namespace agentca::storage {

Status MemoryDocuments::Put(std::string_view name, int64_t replaces,
                            const ca::SharedDocument& next) {
  const std::lock_guard lock(mutex_);
  const auto found = documents_.find(name);
  const int64_t present = found == documents_.end() ? 0 : found->second.version;
  AGENTCA_TRY(GuardReplacement(present, replaces, next.version));
  documents_.insert_or_assign(std::string(name), next);
  return {};
}

Result<ca::SharedDocument> MemoryDocuments::Get(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = documents_.find(name);
  if (found == documents_.end()) return NoSuchDocument();
  return found->second;
}

Result<int64_t> MemoryDocuments::VersionOf(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = documents_.find(name);
  return found == documents_.end() ? 0 : found->second.version;
}

}  // namespace agentca::storage
