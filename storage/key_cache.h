// Public keys read once: judging a key (curve, factors) costs more than fetching its row, and an
// account's row is fetched for every request.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "ca/public_key.h"

namespace agentca::storage {

// SPKI → PublicKey, a pure function, so that nothing ever goes stale. Holds the last `capacity` to
// 2 × `capacity` keys used. Thread-safe.
class KeyCache {
 public:
  explicit KeyCache(size_t capacity = 4096) : capacity_(capacity) {}
  Result<ca::PublicKey> FromSpki(ByteView spki);

 private:
  using Keys = std::unordered_map<std::string, ca::PublicKey>;
  std::optional<ca::PublicKey> Find(const std::string& spki);
  void Insert(const std::string& spki, const ca::PublicKey& key);

  const size_t capacity_;
  std::mutex mutex_;  // guards young_, old_
  Keys young_;
  Keys old_;  // the generation before; dropped as a whole when young_ is full
};

}  // namespace agentca::storage
