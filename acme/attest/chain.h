// Certificates of evidence: reading them and checking their path (RFC 5280 §6, by OpenSSL).
#pragma once

#include <string_view>
#include <vector>

#include "acme/attest/format.h"

namespace agentca::acme::attest {

inline constexpr size_t kMaxRoots = 64;

// The certificates of a PEM text, DER, in order; text between them is skipped. kMalformed: none,
// more than kMaxRoots, over 256 KiB, or one that OpenSSL cannot read.
Result<std::vector<Bytes>> ParsePemCertificates(std::string_view pem);

// What a leaf must be good for.
enum class Purpose : uint8_t {
  kClient,  // TLS client authentication: what extended key usage and key usage say, if they do
  kAny,     // the format checks that itself
};

// A path from chain.front() to one of `roots` — any of which may be an intermediate CA, for it was
// configured — valid at `now`, with signatures of 112 bits of security and more. kMalformed: no
// chain, or not certificates; kBadAttestation: untrusted root (with OpenSSL's reason), expired, not
// yet valid. Revocation is not looked at.
Status VerifyChain(const std::vector<Bytes>& chain, const std::vector<Bytes>& roots,
                   Purpose purpose, Time now);

}  // namespace agentca::acme::attest
