// Waits for what another thread does.
#pragma once

#include <chrono>
#include <thread>

namespace agentca::fakes {

// True as soon as `condition` holds; false when it does not within ten seconds.
template <class Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace agentca::fakes
