// What the programs of this folder have in common on their command lines.
#pragma once

#include <boost/program_options.hpp>
#include <vector>

namespace agentca::bench {

// Adds --help, --seconds and --server-pid.
void AddCommon(boost::program_options::options_description& table, int default_seconds,
               int& seconds, std::vector<int>& server_pids);

// False when --help was asked for and printed. Throws boost::program_options::error.
bool ParseCommandLine(int argc, char** argv,
                      const boost::program_options::options_description& table);

}  // namespace agentca::bench
