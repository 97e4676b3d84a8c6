// What the verb files work with. Made by Service; everything outlives every request.
#pragma once

#include "acme/accounts.h"
#include "acme/attestation.h"
#include "acme/grant_tokens.h"
#include "acme/links.h"
#include "acme/rate_limit.h"
#include "acme/service.h"
#include "acme/settlement.h"
#include "acme/validation.h"

namespace agentca::acme {

// What is there only where agents are served.
struct AgentDesk {
  AgentDesk(const Agents& served, const Policy& policy, NonceBook& grants)
      : parts(served),
        attestor(served),
        tokens(grants),
        by_address(policy.evidence_per_address_per_hour),
        verifications(policy.evidence_per_hour) {}
  const Agents& parts;
  const Attestor attestor;
  GrantTokens tokens;
  RateLimit by_address;     // of requests without a signature: drops and grants
  RateLimit verifications;  // of such evidence, all together
};

struct Context {
  const Memory memory;
  const Authority authority;
  const World world;
  const Policy policy;
  const Links links;
  Accounts& accounts;
  ValidationQueue& validations;
  Settlement& settlement;
  RateLimit& new_accounts;  // by client address
  RateLimit& new_orders;    // by account
  AgentDesk* agents;        // null: none are served
};

}  // namespace agentca::acme
