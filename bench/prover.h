// How a client of the load generator answers its challenge.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "acme/json.h"
#include "bench/http01_responder.h"

namespace agentca::bench {

// Thread-safe. Both throw FlowError.
class Prover {
 public:
  struct Answer {
    std::string url, payload;  // of the challenge; what to post there
    std::string token;
  };
  virtual ~Prover() = default;
  // `challenges`: those of an authorization; `thumbprint`: of the account's key.
  virtual Answer Begin(const acme::JsonValue& challenges, const std::string& dns_name,
                       const std::string& thumbprint) = 0;
  virtual void End(const Answer& answer) = 0;  // the authorization is settled
};

std::unique_ptr<Prover> MakeHttp01Prover(Http01Responder& responder);
// agent-attest-01 by a JWT that `key_file` (PEM, P-256) signs as `issuer`; `sub` is the first label
// of the name.
std::unique_ptr<Prover> MakeJwtProver(const std::string& key_file, const std::string& issuer);

// What clients and provers have in common.
// RFC 7515 §3.4, RFC 7518 §3.4: ES256 is R ‖ S, 32 octets each; base64url.
std::string SignEs256(EVP_PKEY* key, const std::string& input);
std::string StringMember(const std::string& step, const acme::JsonValue& value,
                         std::string_view name);

}  // namespace agentca::bench
