#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "acme/cli/commands.h"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return agentca::cli::Run(arguments);
  } catch (const std::exception& e) {  // out of memory, a thread that cannot start
    std::cerr << "agentca: " << e.what() << "\n";
    return agentca::cli::kExitFailure;
  }
}
