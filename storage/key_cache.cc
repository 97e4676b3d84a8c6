#include "storage/key_cache.h"

namespace agentca::storage {

Result<ca::PublicKey> KeyCache::FromSpki(ByteView spki) {
  const std::string text(AsText(spki));
  if (auto key = Find(text)) return *std::move(key);
  AGENTCA_ASSIGN(ca::PublicKey key, ca::PublicKey::FromSpki(spki));
  Insert(text, key);
  return key;
}

std::optional<ca::PublicKey> KeyCache::Find(const std::string& spki) {
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(spki); found != young_.end()) return found->second;
  const auto found = old_.find(spki);
  if (found == old_.end()) return std::nullopt;
  ca::PublicKey key = found->second;
  if (young_.size() < capacity_) young_.emplace(spki, key);
  return key;
}

void KeyCache::Insert(const std::string& spki, const ca::PublicKey& key) {
  const std::lock_guard lock(mutex_);
  if (young_.size() >= capacity_) {
    old_ = std::move(young_);
    young_.clear();
  }
  young_.emplace(spki, key);
}

}  // namespace agentca::storage
