// Who is alive and who does what, among the nodes of one store.
//
// Leases decide who tries, never what is allowed: a node that stood still may go on working with a
// lease that lapsed long ago. What it does then is refused or harmless, because each change of the
// store is a guarded transition. See agentca-design(7).
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "ca/base/result.h"

namespace agentca::ca {

// Names a node for good: whatever runs on one DIR, one process after another.
using NodeId = std::string;

inline constexpr std::chrono::milliseconds kLeaseLife{10'000};
inline constexpr std::chrono::milliseconds kBeatPeriod{2'000};
// No lease is longer. One that seems to be was given before the clock of the database was set back,
// and counts as lapsed.
inline constexpr std::chrono::milliseconds kLongestLease{60'000};

// Whose work is taken up, of that which was begun and not settled. What belongs to nobody is
// anybody's.
enum class WorkScope : uint8_t {
  kOwnAndDead,  // at start, when this process has begun nothing
  kDead,        // of nodes without a lease; this process is never one of them
};

// The leases of one process of a node, on the clock of the database, so that it does not matter how
// the clocks of the nodes differ. Whoever holds a lease counts its length from before the request
// and by a steady clock of its own. Thread-safe; each call is one transaction. kUnavailable:
// nothing is known of the effect.
class Leases {
 public:
  virtual ~Leases() = default;

  // Earlier processes of this node are gone, as the caller knows (it has the lock of DIR): they are
  // dead from now on, and their duties free. Then as Beat.
  virtual Status Enter(std::chrono::milliseconds life) = 0;
  // This process is alive for so long from now on.
  virtual Status Beat(std::chrono::milliseconds life) = 0;
  // This process has gone: its work may be taken up at once.
  virtual Status Leave() = 0;

  // Takes the duty when it is free or lapsed, renews it when it is ours already. False: another has
  // it.
  virtual Result<bool> Hold(std::string_view duty, std::chrono::milliseconds life) = 0;
  // Frees it if it is ours.
  virtual Status Release(std::string_view duty) = 0;
};

// One duty as this process sees it. Thread-safe; `leases` outlives it. The destructor frees the
// duty.
class Duty {
 public:
  Duty(Leases& leases, std::string name);
  ~Duty();
  Duty(const Duty&) = delete;
  Duty& operator=(const Duty&) = delete;

  // Is it ours? Asks the store when the last answer is older than kBeatPeriod. While the store is
  // away a duty stays ours until its lease lapses, and a free one stays with nobody.
  bool Hold();
  // Lets it go, so that another can take it. The next Hold asks for it again.
  void Release();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  Leases& leases_;
  const std::string name_;
  std::mutex mutex_;  // guards the rest
  SteadyTime asked_{}, ours_until_{};
  bool asked_ever_ = false;
};

}  // namespace agentca::ca
