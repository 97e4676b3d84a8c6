// One way to prove control of an identifier. A Verifier sees no storage and no clock.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "acme/model.h"

namespace agentca::acme {

struct Evidence {
  const Identifier& identifier;        // base name (never "*.")
  std::string_view token;
  std::string_view key_authorization;  // §8.1: token "." thumbprint
  ByteView payload;                    // of the challenge response; "{}" for the classic types
  Time now;
  // Names in the agents zone: the URL of the challenge, and what was proven at its drop.
  std::string_view audience{};
  const Attestation* dropped = nullptr;
};

struct Proof {
  std::vector<Identifier> proven;
  std::optional<Attestation> attestation{};  // of an agent; its `key` binds the certificate's
};

// Thread-safe. Verify may block, but ends within the limits it was configured with. Errors are
// those of §6.7 that a validation can have: kConnection, kDns, kTls, kIncorrectResponse,
// kUnauthorized, kRejectedIdentifier (the address is not allowed).
class Verifier {
 public:
  virtual ~Verifier() = default;
  virtual std::string_view name() const = 0;  // "http-01"
  virtual Result<Proof> Verify(const Evidence&) const = 0;
};

}  // namespace agentca::acme
