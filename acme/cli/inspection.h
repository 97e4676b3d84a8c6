// What `agentca status` finds out, before it is put in words or JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/cli/config.h"
#include "acme/cli/hierarchy.h"

namespace agentca::cli {

struct Expiry {
  std::string what;     // "root certificate", "CRL of issuing CA", …
  std::string subject;  // serial number or CRL number; "" when it cannot be read
  Time from{}, to{};
  double remaining = 0;  // share of its life, 0 to 1
  std::string fault;     // why it is not well; "" when it is
};

struct ServerView {
  bool running = false;  // somebody holds DIR/serve.lock
  Roles roles;
  std::string directory_url, http_url, admin_url;  // "" for what is not served
  std::string healthz, readyz;  // "ok", or what it answered instead
  std::string Fault() const;    // "" when it serves
};

struct Inspection {
  Roles roles;  // of the server that runs, or as configured
  ServerView server;
  std::vector<Expiry> expiries;
  std::vector<hsm::KeyEntry> keys;
  std::string store;        // in words
  std::string store_fault;  // "" when it answers
  size_t valid_certificates = 0;
  bool more_certificates = false;  // the count stopped at its limit
  // What is not well, each in a few words; empty when all is.
  std::vector<std::string> Faults() const;
};

Inspection Inspect(const Config& config, const Hierarchy& hierarchy, Time now);

}  // namespace agentca::cli
