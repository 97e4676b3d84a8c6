// What OCSP asks a store for an answer that is not cached: the status of one serial, again and again,
// of those that bench/fill_store made.
#include <cstdio>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>

#include "bench/command_line.h"
#include "bench/rate.h"
#include "storage/open.h"

namespace {

namespace po = boost::program_options;

struct Options {
  std::string storage, issuer;
  int64_t rows = 0;
  int seconds = 5;
  std::vector<int> server_pids;
};

std::optional<Options> Parse(int argc, char** argv) {
  Options options;
  po::options_description table("store_lookup: the status of serials that a script filled in");
  agentca::bench::AddCommon(table, 5, options.seconds, options.server_pids);
  table.add_options()("storage", po::value(&options.storage)->required(), "URI of the store")(
      "issuer", po::value(&options.issuer)->required(), "name of the issuer in the store")(
      "rows", po::value(&options.rows)->required(), "certificates that were filled in");
  if (!agentca::bench::ParseCommandLine(argc, argv, table)) return std::nullopt;
  return options;
}

// As bench/fill_store makes them.
agentca::ca::Serial SerialOf(int64_t row) {
  char text[32];
  std::snprintf(text, sizeof text, "A%015lld",
                static_cast<long long>(row * 900'000'000'037 % 1'000'000'000'000'000));
  return agentca::ca::Serial::FromBytes(agentca::AsBytes(text)).value();
}

int Run(const Options& options) {
  auto backend = agentca::storage::Open(options.storage, agentca::storage::OpenMode::kExisting);
  if (!backend.ok()) throw std::runtime_error(backend.error().detail);
  auto& store = (*backend)->certificates();
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> rows(1, options.rows);
  agentca::bench::Latencies latencies;
  const agentca::bench::Rate rate("look-ups", options.seconds, options.server_pids);
  rate.Repeat(
      [&] {
        const auto status = store.StatusOf(options.issuer, SerialOf(rows(random)));
        if (!status.ok()) throw std::runtime_error(status.error().detail);
      },
      latencies);
  rate.Print(latencies);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = Parse(argc, argv);
    return options ? Run(*options) : 0;
  } catch (const std::exception& error) {
    std::cerr << "store_lookup: " << error.what() << "\n";
    return 1;
  }
}
