#include "bench/rate.h"

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "bench/process_cpu.h"

namespace agentca::bench {

Rate::Rate(std::string what, int seconds, std::vector<int> server_pids)
    : what_(std::move(what)),
      seconds_(seconds),
      server_pids_(std::move(server_pids)),
      cpu_before_(CpuOf(server_pids_)),
      end_(SteadyClock::now() + std::chrono::seconds(seconds)) {}

void Rate::Print(const Latencies& all) const {
  const double cpu = (CpuOf(server_pids_) - cpu_before_).count();
  const auto count = static_cast<double>(all.Count(what_));
  if (count == 0) throw std::runtime_error("no " + what_);
  std::printf("%s/s %.0f  p50 %.3f ms  p99 %.3f ms", what_.c_str(), count / seconds_,
              all.Quantile(what_, 0.5), all.Quantile(what_, 0.99));
  if (!server_pids_.empty()) std::printf("  server CPU us each %.1f", 1e6 * cpu / count);
  std::printf("\n");
}

}  // namespace agentca::bench
