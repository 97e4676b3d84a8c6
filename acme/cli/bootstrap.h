// How a certificate authority comes into being: from three keys to certificates and first CRLs.
#pragma once

#include "acme/cli/config.h"
#include "acme/cli/hierarchy.h"
#include "ca/audit.h"
#include "ca/signer.h"
#include "storage/open.h"

namespace agentca::cli {

// What the authority is founded with; references outlive the call.
struct Foundation {
  const Config& config;
  ca::KeyProvider& keys;  // opens kRootKey, kIssuingKey and kOcspKey
  storage::Backend& backend;
  ca::ChainedLog& audit;
  Random& random;
  const Clock& clock;
};

// Self-signs the root, has it issue the issuing CA, which issues the OCSP delegate, the server's
// TLS certificate and that of the first administrator; all but the root go through ca::Issuance (recorded and audited). Writes DIR/ca,
// DIR/tls, DIR/admin and the first CRL of both. Reads the profiles in DIR/profiles.
Result<Hierarchy> Found(const Foundation& with);

}  // namespace agentca::cli
