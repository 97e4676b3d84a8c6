// Findings over a TBSCertificate before it may be signed: an independent reading of the bytes by
// OpenSSL, compared with what was meant. A finding refuses the issuance; there are no warnings.
#pragma once

#include <string>
#include <vector>

#include "ca/certificate.h"

namespace agentca::ca {

// Empty when the bytes are fit to be signed. Checks at least: version 3, serial positive and ≤ 20
// octets, issuer equals `issuer.subject`, validity order and bounds of the profile, SPKI equals the
// request's, SAN set equals the request's exactly, critical bits, BasicConstraints and KeyUsage
// agree with the profile, AKI/SKI right, no unknown or duplicate extension, inner signature
// algorithm equals issuer.algorithm, names are valid A-labels, strings are within their bounds.
std::vector<std::string> LintTbsCertificate(ByteView tbs, const Profile&, const IssuerInfo&,
                                            const CertificateRequest&);

}  // namespace agentca::ca
