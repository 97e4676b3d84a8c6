// One thing done again and again: how often, how long it takes, what it costs the server.
#pragma once

#include <string>
#include <vector>

#include "bench/latency.h"

namespace agentca::bench {

class Rate {
 public:
  // Begins now. `what` is done, in the plural: "look-ups".
  Rate(std::string what, int seconds, std::vector<int> server_pids);

  // Does it until the end, in one thread of any number. Throws what `once` throws.
  template <class Once>
  void Repeat(const Once& once, Latencies& out) const {
    for (auto now = SteadyClock::now(); now < end_;) {
      once();
      const auto after = SteadyClock::now();
      out.Add(what_, after - now);
      now = after;
    }
  }
  // To be called at the end. Throws when it was never done.
  void Print(const Latencies& all) const;

 private:
  const std::string what_;
  const int seconds_;
  const std::vector<int> server_pids_;
  const std::chrono::duration<double> cpu_before_;
  const SteadyClock::time_point end_;
};

}  // namespace agentca::bench
