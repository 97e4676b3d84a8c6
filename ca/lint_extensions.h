// The part of the lint that reads extensions.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <vector>

#include "ca/certificate.h"

namespace agentca::ca {

// What a certificate was meant to be, and where to write down in what it differs.
struct LintContext {
  const Profile& profile;
  const IssuerInfo& issuer;
  const CertificateRequest& request;
  std::vector<std::string>& findings;

  // Writes `finding` down unless `sound`; returns `sound`.
  bool Expect(bool sound, std::string finding) const {
    if (!sound) findings.push_back(std::move(finding));
    return sound;
  }
};

void LintExtensions(const STACK_OF(X509_EXTENSION) * extensions, bool empty_subject,
                    const LintContext& lint);
// The part for agents, and for whatever carries a SPIFFE ID.
void LintAgent(const STACK_OF(X509_EXTENSION) * extensions, const LintContext& lint);

}  // namespace agentca::ca
