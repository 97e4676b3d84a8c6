// ca::Leases and ca::SharedDocuments in memory, which has one process: it is alive and has every
// duty.
#pragma once

#include <map>
#include <mutex>

#include "ca/leases.h"
#include "ca/shared_documents.h"

namespace agentca::storage {

class MemoryLeases final : public ca::Leases {
 public:
  Status Enter(std::chrono::milliseconds) override { return {}; }
  Status Beat(std::chrono::milliseconds) override { return {}; }
  Status Leave() override { return {}; }
  Result<bool> Hold(std::string_view, std::chrono::milliseconds) override { return true; }
  Status Release(std::string_view) override { return {}; }
};

class MemoryDocuments final : public ca::SharedDocuments {
 public:
  Status Put(std::string_view name, int64_t replaces, const ca::SharedDocument& next) override;
  Result<ca::SharedDocument> Get(std::string_view name) override;
  Result<int64_t> VersionOf(std::string_view name) override;

 private:
  std::mutex mutex_;  // guards documents_
  std::map<std::string, ca::SharedDocument, std::less<>> documents_;
};

}  // namespace agentca::storage
