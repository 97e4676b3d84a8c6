#include "bench/command_line.h"

#include <iostream>

namespace agentca::bench {

namespace po = boost::program_options;

void AddCommon(po::options_description& table, int default_seconds, int& seconds,
               std::vector<int>& server_pids) {
  table.add_options()("help", "print this")(
      "seconds", po::value(&seconds)->default_value(default_seconds), "measured time")(
      "server-pid", po::value(&server_pids)->multitoken(),
      "server processes whose CPU (with that of their children) is counted");
}

bool ParseCommandLine(int argc, char** argv, const po::options_description& table) {
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, table), values);
  if (values.count("help") != 0) {
    std::cout << table;
    return false;
  }
  po::notify(values);
  return true;
}

}  // namespace agentca::bench
