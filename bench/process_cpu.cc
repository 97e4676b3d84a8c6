#include "bench/process_cpu.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace agentca::bench {
namespace {

struct ProcessStat {
  int parent = 0;
  int64_t ticks = 0;
};

// proc(5): pid (comm) state ppid …; utime and stime are fields 14 and 15. The command may hold
// spaces and parentheses, so fields are counted from the last ")".
bool ReadStat(const std::filesystem::path& directory, ProcessStat& out) {
  std::ifstream file(directory / "stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const size_t close = line.rfind(')');
  if (close == std::string::npos) return false;
  std::istringstream fields(line.substr(close + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 4) out.parent = std::stoi(field);
    if (number == 14 || number == 15) out.ticks += std::stoll(field);
    if (number == 15) return true;
  }
  return false;
}

std::map<int, ProcessStat> Snapshot() {
  std::map<int, ProcessStat> processes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    int pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (ProcessStat stat; ReadStat(entry.path(), stat)) processes[pid] = stat;
  }
  return processes;
}

}  // namespace

std::chrono::duration<double> CpuOf(const std::vector<int>& pids) {
  const auto processes = Snapshot();
  std::set<int> wanted(pids.begin(), pids.end());
  // A child may have a smaller pid than its parent: repeat until nothing is added.
  for (size_t before = 0; before != wanted.size();) {
    before = wanted.size();
    for (const auto& [pid, stat] : processes)
      if (wanted.contains(stat.parent)) wanted.insert(pid);
  }
  int64_t ticks = 0;
  for (int pid : wanted)
    if (const auto it = processes.find(pid); it != processes.end()) ticks += it->second.ticks;
  return std::chrono::duration<double>(static_cast<double>(ticks) /
                                       static_cast<double>(sysconf(_SC_CLK_TCK)));
}

}  // namespace agentca::bench
