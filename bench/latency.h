// Latencies by name, merged over threads.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace agentca::bench {

using SteadyClock = std::chrono::steady_clock;

// Not thread-safe: one per thread, merged at the end.
class Latencies {
 public:
  void Add(const std::string& step, SteadyClock::duration duration) {
    samples_[step].push_back(std::chrono::duration<double, std::milli>(duration).count());
  }
  void Merge(const Latencies& other) {
    for (const auto& [step, values] : other.samples_) {
      auto& mine = samples_[step];
      mine.insert(mine.end(), values.begin(), values.end());
    }
  }
  std::vector<std::string> steps() const {
    std::vector<std::string> names;
    for (const auto& [step, values] : samples_) names.push_back(step);
    return names;
  }
  size_t Count(const std::string& step) const {
    const auto it = samples_.find(step);
    return it == samples_.end() ? 0 : it->second.size();
  }
  // Milliseconds below which the fraction `q` of the samples lies.
  double Quantile(const std::string& step, double q) const {
    auto values = samples_.at(step);
    if (values.empty()) return 0;
    const auto rank = static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank),
                     values.end());
    return values[rank];
  }

 private:
  std::map<std::string, std::vector<double>> samples_;
};

}  // namespace agentca::bench
