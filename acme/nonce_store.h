// What the nodes of a cluster keep together so that a nonce is spent once among them all.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/result.h"

namespace agentca::acme {

// What is kept of a spent nonce: when it was minted, in seconds since 1970 (5 octets, big-endian),
// then its 8 random octets. In the order of the octets the oldest come first.
inline constexpr size_t kMintedOctets = 5;
using SpentNonce = std::array<uint8_t, kMintedOctets + 8>;

// Names a stretch of time in which the store forgot none of the spent nonces that are younger than
// `pruned_before`. Epochs differ by chance (32 bits).
using NonceEpoch = uint32_t;
struct NonceHorizon {
  NonceEpoch epoch = 0;
  Time pruned_before{};  // never goes back within an epoch
};

// Clocks that differ by more are not taken for right.
inline constexpr Seconds kHorizonSlack{600};

struct Spending {
  NonceHorizon horizon;     // read after the spending
  std::vector<bool> first;  // for each of the batch, in its order: nobody had spent it
};

// Thread-safe. A nonce was spent by the caller when the store calls it first, it is of the epoch of
// the very same answer, and was minted no earlier than that answer's `pruned_before`. Thus:
//  1. Of all spendings of one nonce the store calls exactly one first, until it forgets it.
//  2. It forgets only what PruneNonces was told to, which it says from then on, or everything; then
//     there is another epoch in every answer that follows. A store whose server may lose what it
//     said to be done (for speed, and nothing is lost by it here) loses the epoch with it.
// Errors: kUnavailable, or kInternal for a row that fails its checks.
class NonceStore {
 public:
  virtual ~NonceStore() = default;
  // In one transaction. The batch may hold a nonce twice: one of them is first. When the caller is
  // told of an error, some, all or none may count as spent.
  virtual Result<Spending> SpendNonces(std::span<const SpentNonce> batch) = 0;
  virtual Result<NonceHorizon> Horizon() = 0;
  // Forgets those minted before, oldest first, `limit` at most; returns how many (none when another
  // node is at it). In the same transaction `minted_before` becomes the horizon, if it is later; if
  // it is earlier by more than kHorizonSlack, somebody's clock is wrong, and a new epoch begins
  // with this horizon.
  virtual Result<size_t> PruneNonces(Time minted_before, size_t limit) = 0;
  // 32 octets, durable, made by whoever asks first: the same for all who ask.
  virtual Result<Secret> SharedKey(std::string_view purpose) = 0;
};

}  // namespace agentca::acme
