// What the CA asks of a key it cannot see. Implemented by hsm/ (softkey, signer_client).
#pragma once

#include <memory>
#include <string_view>

#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::ca {

// Thread-safe; every call ends by a deadline. Errors: kUnavailable when the key's home is away
// (try again later), kInternal when it refused.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual SignatureAlgorithm algorithm() const = 0;
  // Hashes and signs `message`; the signature is in X.509 form (ECDSA: DER).
  virtual Result<Bytes> Sign(ByteView message) = 0;
};

class KeyProvider {
 public:
  virtual ~KeyProvider() = default;
  // `key_name` is a name from the key table ("root", "issuing", "ocsp"), not a secret.
  virtual Result<std::unique_ptr<Signer>> Open(std::string_view key_name) = 0;
  // False while signatures are known to fail (the signer is being restarted).
  virtual bool Healthy() const = 0;
};

}  // namespace agentca::ca
