// Load generator for any ACME directory: certificates per second, latency per step, and the
// server's CPU per certificate.
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "bench/acme_client.h"
#include "bench/command_line.h"
#include "bench/process_cpu.h"

namespace {

using agentca::bench::AcmeClient;
using agentca::bench::CpuOf;
using agentca::bench::FlowError;
using agentca::bench::Http01Responder;
using agentca::bench::Latencies;
using agentca::bench::Prover;
using agentca::bench::SteadyClock;
namespace po = boost::program_options;

struct Options {
  std::string directory, ca_file, zone, jwt_key, jwt_issuer;
  int clients = 16, seconds = 15, warm_up = 1, poll_ms = 10;
  uint16_t http01_port = 5002;
  std::vector<int> server_pids;
};

struct Outcome {
  std::mutex mutex;  // guards the rest
  Latencies latencies;
  std::map<std::string, int> errors;
  size_t certificates = 0;
};

std::optional<Options> Parse(int argc, char** argv) {
  Options options;
  po::options_description table("acme_flow: load on an ACME directory over http-01 or agent-attest-01");
  agentca::bench::AddCommon(table, 15, options.seconds, options.server_pids);
  table.add_options()("directory", po::value(&options.directory)->required(), "directory URL")(
      "ca-file", po::value(&options.ca_file)->required(),
      "PEM root that the server's TLS chains to")(
      "clients", po::value(&options.clients)->default_value(16), "threads, each with an account")(
      "warm-up", po::value(&options.warm_up)->default_value(1), "seconds before it")(
      "poll-ms", po::value(&options.poll_ms)->default_value(10), "pause between polls")(
      "zone", po::value(&options.zone)->default_value("bench.test"), "names are RANDOM.zone")(
      "http01-port", po::value(&options.http01_port)->default_value(5002),
      "where the server validates: 127.0.0.1, this port")(
      "jwt-key", po::value(&options.jwt_key),
      "agent-attest-01 in place of http-01, by JWTs of this key (PEM, P-256); the names are "
      "robot-CLIENT.zone, and `sub` is robot-CLIENT")(
      "jwt-issuer", po::value(&options.jwt_issuer)->default_value("https://bench.test"),
      "their `iss`");
  if (!agentca::bench::ParseCommandLine(argc, argv, table)) return std::nullopt;
  return options;
}

std::string RandomName(std::mt19937_64& engine, const std::string& zone) {
  char label[17];
  std::snprintf(label, sizeof label, "%016llx", static_cast<unsigned long long>(engine()));
  return std::string(label) + "." + zone;
}

void RunClient(const Options& options, int number, Prover& prover, SteadyClock::time_point start,
               SteadyClock::time_point end, Outcome& outcome) {
  Latencies latencies;
  std::map<std::string, int> errors;
  size_t certificates = 0;
  std::mt19937_64 engine(std::random_device{}());
  try {
    AcmeClient client(options.directory, options.ca_file,
                      std::chrono::milliseconds(options.poll_ms), prover);
    while (SteadyClock::now() < end) {
      const auto begun = SteadyClock::now();
      Latencies steps;
      try {
        client.Obtain(options.jwt_key.empty()
                          ? RandomName(engine, options.zone)
                          : "robot-" + std::to_string(number) + "." + options.zone,
                      steps);
      } catch (const FlowError& error) {
        ++errors[error.what()];
        continue;
      }
      const auto finished = SteadyClock::now();
      if (begun < start || finished > end) continue;
      steps.Add("whole order", finished - begun);
      latencies.Merge(steps);
      ++certificates;
    }
  } catch (const FlowError& error) {
    ++errors[error.what()];
  }
  std::lock_guard lock(outcome.mutex);
  outcome.latencies.Merge(latencies);
  outcome.certificates += certificates;
  for (const auto& [what, count] : errors) outcome.errors[what] += count;
}

void Report(const Options& options, const Outcome& outcome, double cpu_seconds) {
  std::printf("%-20s %8s %9s %9s\n", "step", "count", "p50 ms", "p99 ms");
  for (const auto& step : outcome.latencies.steps())
    std::printf("%-20s %8zu %9.2f %9.2f\n", step.c_str(), outcome.latencies.Count(step),
                outcome.latencies.Quantile(step, 0.50), outcome.latencies.Quantile(step, 0.99));
  for (const auto& [what, count] : outcome.errors)
    std::printf("error %6d x %s\n", count, what.c_str());
  std::printf("certificates/s: %.1f (%d clients, %d s)\n",
              static_cast<double>(outcome.certificates) / options.seconds, options.clients,
              options.seconds);
  if (!options.server_pids.empty() && outcome.certificates > 0)
    std::printf("server CPU ms per certificate: %.3f\n",
                1000 * cpu_seconds / static_cast<double>(outcome.certificates));
}

int Run(const Options& options) {
  Http01Responder responder(options.http01_port);
  const auto prover = options.jwt_key.empty()
                          ? agentca::bench::MakeHttp01Prover(responder)
                          : agentca::bench::MakeJwtProver(options.jwt_key, options.jwt_issuer);
  Outcome outcome;
  const auto start = SteadyClock::now() + std::chrono::seconds(options.warm_up);
  const auto end = start + std::chrono::seconds(options.seconds);
  std::vector<std::thread> threads;
  for (int i = 0; i < options.clients; ++i)
    threads.emplace_back([&, i] { RunClient(options, i, *prover, start, end, outcome); });
  std::this_thread::sleep_until(start);
  const auto cpu_before = CpuOf(options.server_pids);
  std::this_thread::sleep_until(end);
  const auto cpu_after = CpuOf(options.server_pids);
  for (auto& thread : threads) thread.join();
  Report(options, outcome, (cpu_after - cpu_before).count());
  return outcome.certificates > 0 && outcome.errors.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = Parse(argc, argv);
    return options ? Run(*options) : 0;
  } catch (const std::exception& error) {
    std::cerr << "acme_flow: " << error.what() << "\n";
    return 2;
  }
}
