// How much of its life a CRL or certificate has left.
#pragma once

#include <algorithm>

#include "ca/base/clock.h"

namespace agentca::cli {

// A CRL raises a warning below the first share and fails /readyz below the second.
inline constexpr double kWarnBelow = 0.5;
inline constexpr double kFailBelow = 0.25;

// 1 at its first instant, 0 at and after its last.
inline double RemainingLife(Time from, Time to, Time now) {
  if (now >= to || from >= to) return 0;
  const double share =
      static_cast<double>((to - now).count()) / static_cast<double>((to - from).count());
  return std::min(share, 1.0);
}

}  // namespace agentca::cli
