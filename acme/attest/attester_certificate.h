// What the certificate of an attester's key says, once acme/attest/chain.h has found a path from
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ca/agent.h"
#include "ca/public_key.h"

namespace agentca::acme::attest {

inline constexpr std::string_view kAikCertificate = "2.23.133.8.3";  // tcg-kp-AIKCertificate

struct AttesterCertificate {
  // kMalformed: not a certificate, a key that we do not accept, or a name that is no plain text;
  // kBadAttestation (untrusted root): a CA, or a key usage without digitalSignature.
  static Result<AttesterCertificate> Parse(ByteView der);
  bool HasPurpose(std::string_view oid) const;

  ca::PublicKey key;
  std::vector<std::string> purposes;  // extended key usage, dotted
  // "serial" (hexadecimal), "subject/CN", "subject/O", …, "issuer/CN", …; of the directory name in
  // subjectAltName, which says what TPM it is (TCG EK Credential Profile 2.5 §3.1.2, whose names AK
  // certificates have, too): "tpm/manufacturer", "tpm/model", "tpm/version".
  ca::Claims claims;
};

}  // namespace agentca::acme::attest
