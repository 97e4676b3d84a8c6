// Fixed time and repeatable randomness: with both, TBS bytes equal golden DER.
#pragma once

#include <mutex>
#include <random>

#include "ca/base/clock.h"
#include "ca/base/random.h"

namespace agentca::fakes {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time now = Time{Seconds{1'800'000'000}}) : now_(now) {}
  Time Now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  Seconds Uptime() const override {
    std::lock_guard lock(mutex_);
    return uptime_;
  }
  // Time passes.
  void Advance(Seconds by) {
    std::lock_guard lock(mutex_);
    now_ += by;
    uptime_ += by;
  }
  // Somebody sets the clock.
  void Set(Time now) {
    std::lock_guard lock(mutex_);
    now_ = now;
  }
  void Leap(Seconds by) {
    std::lock_guard lock(mutex_);
    now_ += by;
  }

 private:
  mutable std::mutex mutex_;  // guards the rest
  Time now_;
  Seconds uptime_{1000};
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed = 1) : engine_(seed) {}
  void Fill(std::span<uint8_t> out) override {
    std::lock_guard lock(mutex_);
    for (auto& octet : out) octet = static_cast<uint8_t>(engine_());
  }

 private:
  std::mutex mutex_;  // guards engine_
  std::mt19937_64 engine_;
};

}  // namespace agentca::fakes
