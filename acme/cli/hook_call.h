// What an ACME client tells its hook, whichever client it is: for which name which TXT value must
// stand at _acme-challenge. The hook of agentca publishes no TXT record; it proves the agent.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::cli {

// One challenge to be answered. `nonce` is N = SHA-256(keyAuthorization), of which the TXT value is
// the base64url form.
struct ProofRequest {
  std::string dns_name;  // without "_acme-challenge." and final dot, lower case
  Sha256Digest nonce{};
};

struct HookCall {
  enum class Action : uint8_t {
    kProve,    // answer `requests`
    kNothing,  // clean-up, deployment, statistics: nothing is ours to do
    kDecline,  // a challenge type that evidence cannot answer; clients try their next one
  };
  Action action = Action::kNothing;
  std::vector<ProofRequest> requests;
};

using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// The dialects, told apart by what they say:
//   certbot     CERTBOT_DOMAIN and CERTBOT_VALIDATION; with CERTBOT_AUTH_OUTPUT it is the clean-up
//   lego        present|cleanup FQDN VALUE
//   dehydrated  deploy_challenge (DOMAIN TOKEN VALUE)…, and a score of other handlers
//   uacme       begin|done|failed TYPE IDENTIFIER TOKEN AUTH
//   acme.sh     add|rm FQDN VALUE (from the dnsapi file in contrib/)
// kMalformed when it is none of them, or a value is not the base64url form of 32 octets.
Result<HookCall> ReadHookCall(std::span<const std::string> arguments, const Environment& env);

// base64url of 32 octets, as a TXT record of dns-01 carries it; kMalformed.
Result<Sha256Digest> ParseTxtValue(std::string_view text);

}  // namespace agentca::cli
