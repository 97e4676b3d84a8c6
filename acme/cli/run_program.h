// A program of the operator's whose output we use: token commands, tpm2-tools.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ca/base/result.h"

namespace agentca::cli {

struct Program {
  std::vector<std::string> command;  // argv; found in PATH
  std::vector<std::pair<std::string, std::string>> environment{};  // beside our own
};

// Its standard output, at most 1 MiB; standard error is ours, standard input empty. kUnavailable:
// it cannot be run, did not exit with 0 (the detail says how it ended), or said too much.
Result<std::string> OutputOf(const Program& program);

}  // namespace agentca::cli
