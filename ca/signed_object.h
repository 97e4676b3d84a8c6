// SIGNED{ToBeSigned}: certificate, CRL and OCSP response alike.
#pragma once

#include "ca/base/bytes.h"
#include "ca/signer.h"

namespace agentca::ca {

// Signs `tbs`, verifies the signature with the signer's public key, and returns
// SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING signature }. kInternal when the signature does
// not verify; otherwise the signer's error.
Result<Bytes> MakeSigned(ByteView tbs, Signer& signer);
// The same without a signature: lets OpenSSL parse a TBS. `algorithm` must be the inner one.
Bytes WrapUnsigned(ByteView tbs, SignatureAlgorithm algorithm);

}  // namespace agentca::ca
