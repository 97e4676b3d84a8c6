// The agent's side of agent-attest-01: demand from the CA → evidence → drop, or grant.
#pragma once

#include <string>
#include <vector>

#include "acme/cli/evidence_collector.h"
#include "acme/cli/hook_call.h"
#include "ca/signer.h"

namespace agentca::cli {

// Where the CA is, and how the agent proves itself. References outlive it.
struct AttestPlan {
  std::string server;   // "https://ca.example.com:14000", without trailing slash
  std::string ca_file;  // PEM; "" : the system's
  Collector& collector;
  ca::Signer* certificate_key;  // to be bound; null: none
};

// Answers one challenge: asks the drop what it wants, collects, posts. Returns a line for people.
// kUnauthorized with the CA's own words when it refuses; kUnavailable after a few tries.
Result<std::string> ProveAtDrop(const AttestPlan& plan, const ProofRequest& request, Time now);

// The response to the challenge as JSON, for those who post it themselves.
Result<std::string> MakeResponse(const AttestPlan& plan, const Demand& demand);

// Proves the agent before it has an account: key id and HMAC key for External Account Binding.
struct GrantedBinding {
  std::string key_id, hmac_key, agent, expires;
};
Result<GrantedBinding> AskForGrant(const AttestPlan& plan, const std::string& dns_name, Time now);

}  // namespace agentca::cli
