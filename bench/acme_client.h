// A lean ACME client (RFC 8555) for load: one account, one keep-alive connection.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "bench/latency.h"
#include "bench/prover.h"

namespace agentca::bench {

// A step of the protocol that did not go as it should: "finalize: 403 …:orderNotReady".
class FlowError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Not thread-safe: one per thread.
class AcmeClient {
 public:
  // Fetches the directory and registers an account. Throws FlowError.
  AcmeClient(const std::string& directory_url, const std::string& ca_file,
             std::chrono::milliseconds poll_interval, Prover& prover);
  ~AcmeClient();
  // newOrder → authorization → challenge → poll → finalize → poll → certificate for one name.
  // Returns the PEM chain; latencies go to `latencies`. Throws FlowError.
  std::string Obtain(const std::string& dns_name, Latencies& latencies);

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace agentca::bench
