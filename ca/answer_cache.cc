#include "ca/answer_cache.h"

#include <algorithm>
#include <new>

namespace agentca::ca {
namespace {

constexpr size_t kShards = 64;
constexpr size_t kLeastPerShard = 16;

size_t ShardsFor(size_t max_answers) {
  return std::clamp<size_t>(max_answers / kLeastPerShard, 1, kShards);
}

}  // namespace

AnswerCache::AnswerCache(size_t max_answers)
    : max_per_shard_(std::max<size_t>(1, max_answers / ShardsFor(max_answers))),
      shards_(ShardsFor(max_answers)) {}

AnswerCache::Shard& AnswerCache::ShardOf(std::string_view key) {
  // Not the low bits, which choose the bucket within the shard.
  return shards_[(std::hash<std::string_view>()(key) >> 32) % shards_.size()];
}

const AnswerCache::Entry* AnswerCache::Touch(Shard& shard, std::string_view key) {
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return nullptr;
  shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
  return &*found->second;
}

AnswerCache::Answer AnswerCache::Unexpired(Shard& shard, std::string_view key, Time now) {
  const Entry* entry = Touch(shard, key);
  const bool usable =
      entry != nullptr && entry->answer->this_update <= now && now < entry->answer->next_update;
  return usable ? entry->answer : nullptr;
}

void AnswerCache::Erase(Shard& shard, std::string_view key) {
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return;
  const auto entry = found->second;
  shard.index.erase(found);
  shard.entries.erase(entry);
}

void AnswerCache::Keep(Shard& shard, std::string_view key, const Answer& answer) const {
  Entries fresh;  // not in the list before it is in the index: either may lack the memory
  fresh.push_front({std::string(key), answer,
                    answer->this_update + (answer->next_update - answer->this_update) / 2});
  Erase(shard, key);
  if (shard.entries.size() >= max_per_shard_) Erase(shard, shard.entries.back().key);
  shard.index.emplace(fresh.front().key, fresh.begin());
  shard.entries.splice(shard.entries.begin(), fresh);
}

AnswerCache::Answer AnswerCache::Fresh(ByteView key, Time now) {
  const std::string_view text = AsText(key);
  Shard& shard = ShardOf(text);
  std::lock_guard lock(shard.mutex);
  const Entry* entry = Touch(shard, text);
  // Before this_update: the clock was set back, so nothing that it says of this answer holds.
  const bool fresh =
      entry != nullptr && entry->answer->this_update <= now && now < entry->refresh_at;
  return fresh ? entry->answer : nullptr;
}

AnswerCache::Answer AnswerCache::GetOrMake(ByteView key, Time now,
                                           const std::function<Answer()>& make) {
  if (auto answer = Fresh(key, now)) return answer;
  const std::string text(AsText(key));
  Shard& shard = ShardOf(text);
  auto mine = std::make_shared<Flight>();
  std::shared_ptr<Flight> other;
  {
    std::lock_guard lock(shard.mutex);
    const auto [at, first] = shard.flights.try_emplace(text, mine);
    if (!first) {
      if (auto answer = Unexpired(shard, text, now)) return answer;
      other = at->second;
    }
  }
  if (other) {
    std::unique_lock lock(other->mutex);
    other->ended.wait(lock, [&other] { return other->landed; });
    return other->answer;
  }

  Answer answer;
  try {
    answer = make();
  } catch (...) {
    answer = nullptr;  // whatever it was, those who wait for this flight must not wait for ever
  }
  {
    std::lock_guard lock(shard.mutex);
    const auto registered = shard.flights.find(text);
    if (registered != shard.flights.end() && registered->second == mine) {
      shard.flights.erase(registered);
      try {
        if (answer && answer->cacheable) Keep(shard, text, answer);
      } catch (const std::bad_alloc&) {
        // Not kept, then; it is an answer all the same.
      }
    }
    if (!answer) answer = Unexpired(shard, text, now);
  }
  {
    std::lock_guard lock(mine->mutex);
    mine->answer = answer;
    mine->landed = true;
  }
  mine->ended.notify_all();
  return answer;
}

void AnswerCache::Evict(ByteView key) {
  const std::string_view text = AsText(key);
  Shard& shard = ShardOf(text);
  std::lock_guard lock(shard.mutex);
  Erase(shard, text);
  const auto flight = shard.flights.find(text);
  if (flight != shard.flights.end()) shard.flights.erase(flight);
}

void AnswerCache::EvictAll() {
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    shard.index.clear();
    shard.entries.clear();
    shard.flights.clear();
  }
}

}  // namespace agentca::ca
