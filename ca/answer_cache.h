// The responder's memory: signed answers by CertID, and who is making which at this moment.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/responder.h"

namespace agentca::ca {

// Thread-safe; sharded, and no lock is held while an answer is made. Keys are DER CertIDs.
//
// Eviction wins: an answer is kept only if its flight is still registered when it lands, and
// Evict takes flights off the register. What a store said before an eviction is thus never kept
// after it.
class AnswerCache {
 public:
  using Answer = std::shared_ptr<const OcspAnswer>;

  explicit AnswerCache(size_t max_answers);
  // The answer if it is in the first half of its life.
  Answer Fresh(ByteView key, Time now);
  // As Fresh; else calls `make` and keeps what it returns if that is cacheable. Of concurrent
  // callers with one key one makes the answer; the others get the previous answer as long as it has
  // not expired, or else wait. When `make` returns null (try later) or throws, the previous answer
  // as long as it has not expired, or else null.
  Answer GetOrMake(ByteView key, Time now, const std::function<Answer()>& make);
  void Evict(ByteView key);
  void EvictAll();

 private:
  struct Flight {
    std::mutex mutex;  // guards the rest
    std::condition_variable ended;
    bool landed = false;
    Answer answer;
  };
  struct Entry {
    std::string key;
    Answer answer;
    Time refresh_at;
  };
  using Entries = std::list<Entry>;  // most recently used first
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;  // an eviction must not need memory
  };
  struct Shard {
    std::mutex mutex;  // guards the rest
    Entries entries;
    std::unordered_map<std::string_view, Entries::iterator> index;
    std::unordered_map<std::string, std::shared_ptr<Flight>, Hash, std::equal_to<>> flights;
  };

  Shard& ShardOf(std::string_view key);
  static const Entry* Touch(Shard& shard, std::string_view key);
  static Answer Unexpired(Shard& shard, std::string_view key, Time now);
  static void Erase(Shard& shard, std::string_view key);
  void Keep(Shard& shard, std::string_view key, const Answer& answer) const;

  const size_t max_per_shard_;
  std::vector<Shard> shards_;
};

}  // namespace agentca::ca
