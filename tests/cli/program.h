// The built `agentca` program, as an operator runs it.
#pragma once

#include <string>

#include "tests/fakes/command.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {

inline fakes::CommandResult Agentca(const std::string& arguments) {
  return fakes::RunCommand(std::string(AGENTCA_TEST_PROGRAM) + " " + arguments);
}

inline fakes::CommandResult Init(const std::filesystem::path& directory,
                                 const std::string& more = "") {
  return Agentca("init --dir " + directory.string() + " --trust-domain example.test " + more);
}

}  // namespace agentca::cli
