// The certificate of an agent: from its registration, what it proved and the operator's policy to
// the CertificateRequest that an Issuer takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ca/agent.h"
#include "ca/agent_identity.h"
#include "ca/certificate.h"
#include "ca/issuance_policy.h"

namespace agentca::ca {

// What the evidence said that the certificate repeats.
struct AgentProof {
  AgentIdentity::Attested attested;
  std::vector<Component> components;  // signed or attested
};

// "O=tenant, OU=deployment, CN=dns-name, serialNumber=instance". Stock ACME clients (certbot, lego)
// renew the CN as one more DNS name, so it is the agent's DNS name and not its bare name; a name of
// more than 64 characters is left out, the subjectAltName has it. A deployment of more than 64 characters (ub-organizational-unit-name) is cut to 63 and "…"; the
// extension has all of it. An empty one is left out, and so is an empty instance. An instance
// beyond 64 characters or PrintableString is refused when the name is encoded.
Name SubjectOf(const Agent& agent, std::string_view dns_name, std::string_view instance);

// Tells running copies of one agent apart: lower-case hex of the first 8 octets of SHA-256(SPKI).
std::string InstanceOf(const PublicKey& key);

// The extension's content. A declared component is left out when the evidence speaks of the same
// kind and hash algorithm: proof replaces what was only said.
AgentIdentity AgentIdentityFor(const Agent& agent, const AgentProof& proof);

// Names: the DNS name and the SPIFFE ID that `naming` gives the agent. Subject as above, instance
// of `key`. Policies: the one of the level. Lifetime: the row's for the agent's lifespan; the
// profile's is the upper bound. Extension: AgentIdentity under `arc`. The caller adds what is of
// its order: not_before, not_after, reference, owner. kUnauthorized: the agent is not active, or
// the level is below the row's, or the row wants a bound key and there is none. kMalformed: what
// EncodeAgentIdentity refuses; a SPIFFE ID over 2048 octets.
Result<CertificateRequest> AgentCertificateRequest(const PublicKey& key, const Agent& agent,
                                                   const AgentProof& proof,
                                                   const AgentNaming& naming, std::string_view arc,
                                                   const PolicyRow& row);

}  // namespace agentca::ca
