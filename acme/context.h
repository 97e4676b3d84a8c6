// What the verb files work with. Made by Service; everything outlives every request.
#pragma once

#include "acme/accounts.h"
#include "acme/links.h"
#include "acme/rate_limit.h"
#include "acme/service.h"
#include "acme/settlement.h"
#include "acme/validation.h"

namespace agentca::acme {

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
};

}  // namespace agentca::acme
