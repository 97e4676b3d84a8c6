// One signature with an EVP_PKEY, wherever its private half lives.
#pragma once

#include <openssl/evp.h>

#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::hsm {

// The one algorithm this CA uses with keys of that type.
ca::SignatureAlgorithm AlgorithmOf(ca::KeyType type);

// Hashes and signs; `key` may be used by several threads at once. kUnavailable with OpenSSL's words
// when the key's home fails.
Result<Bytes> SignWith(EVP_PKEY* key, ca::SignatureAlgorithm algorithm, ByteView message);

}  // namespace agentca::hsm
