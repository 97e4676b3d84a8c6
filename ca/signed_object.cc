#include "ca/signed_object.h"

#include "ca/der.h"

namespace agentca::ca {

// SIGNED{ToBeSigned} ::= SEQUENCE {
//   toBeSigned          ToBeSigned,
//   algorithmIdentifier AlgorithmIdentifier,
//   signature           BIT STRING }
Result<Bytes> MakeSigned(ByteView tbs, Signer& signer) {
  AGENTCA_ASSIGN(const Bytes signature, signer.Sign(tbs));
  // A fault in the key's home (bit flip, wrong key, wrong mechanism) must not leave this process:
  // one bad RSA-CRT signature gives the key away.
  if (!signer.public_key().Verify(signer.algorithm(), tbs, signature))
    return Error{Code::kInternal, "the signer returned a signature that does not verify"};
  return der::Sequence({tbs, AlgorithmIdentifier(signer.algorithm()), der::BitString(signature)});
}

Bytes WrapUnsigned(ByteView tbs, SignatureAlgorithm algorithm) {
  return der::Sequence({tbs, AlgorithmIdentifier(algorithm), der::BitString({})});
}

}  // namespace agentca::ca
