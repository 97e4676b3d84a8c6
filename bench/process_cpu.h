// CPU that a server and everything it started has used, from /proc.
#pragma once

#include <chrono>
#include <vector>

namespace agentca::bench {

// User and system time of these processes and all their living descendants. Resolution is one clock
// tick (10 ms), so measure over seconds. Processes that are gone count as zero.
std::chrono::duration<double> CpuOf(const std::vector<int>& pids);

}  // namespace agentca::bench
