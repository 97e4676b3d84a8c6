#include "ca/agent_certificate.h"

#include <algorithm>
#include <span>

#include "ca/base/utf8.h"
#include "ca/spiffe.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxCommonName = 64;  // characters: ub-common-name (RFC 5280 Appendix A.1)

constexpr size_t kMaxUnit = 64;  // ub-organizational-unit-name, in characters
constexpr std::string_view kEllipsis = "…";

// All of a text that fits; what is not UTF-8 stays as it is, for EncodeName to refuse.
std::string Shortened(const std::string& text) {
  size_t characters = 0, end_of_63 = 0;
  for (size_t at = 0; at < text.size(); ++characters) {
    if (characters == kMaxUnit - 1) end_of_63 = at;
    const size_t length = Utf8Length(std::string_view(text).substr(at));
    if (length == 0) return text;
    at += length;
  }
  if (characters <= kMaxUnit) return text;
  return text.substr(0, end_of_63).append(kEllipsis);
}

Error Unauthorized(const Agent& agent, const std::string& why) {
  return {Code::kUnauthorized, "agent " + agent.id.ToString() + " " + why, agent.id.ToString()};
}

Status CheckProof(const Agent& agent, const AgentProof& proof, const PolicyRow& row) {
  if (agent.status != AgentStatus::kActive)
    return Unauthorized(agent, "is " + std::string(ToString(agent.status)));
  if (proof.attested.level < row.level)
    return Unauthorized(agent, "needs evidence of level " + std::to_string(row.level) + ", not " +
                                   std::to_string(proof.attested.level));
  if (row.key_binding() && !proof.attested.key_bound)
    return Unauthorized(agent, "needs evidence that is bound to the key of the certificate");
  return {};
}

}  // namespace

Name SubjectOf(const Agent& agent, std::string_view dns_name, std::string_view instance) {
  Name subject{{Attribute::kOrganization, agent.id.tenant}};
  if (!agent.deployment.empty())
    subject.push_back({Attribute::kOrganizationalUnit, Shortened(agent.deployment)});
  if (dns_name.size() <= kMaxCommonName)
    subject.push_back({Attribute::kCommonName, std::string(dns_name)});
  if (!instance.empty()) subject.push_back({Attribute::kSerialNumber, std::string(instance)});
  return subject;
}

std::string InstanceOf(const PublicKey& key) {
  return ToHex(std::span(key.spki_sha256()).first(8));
}

AgentIdentity AgentIdentityFor(const Agent& agent, const AgentProof& proof) {
  AgentIdentity identity{.agent = agent.id.name,
                         .tenant = agent.id.tenant,
                         .sponsor = agent.sponsor,
                         .deployment = agent.deployment,
                         .agent_class = agent.agent_class,
                         .scopes = agent.scopes,
                         .components = proof.components,
                         .parent = ToBytes(AsBytes(agent.parent)),
                         .max_depth = agent.max_depth,
                         .attestation = proof.attested};
  for (const Component& declared : agent.components) {
    const bool proven =
        std::any_of(proof.components.begin(), proof.components.end(), [&](const Component& other) {
          return other.kind == declared.kind && other.hash_algorithm == declared.hash_algorithm;
        });
    if (!proven) identity.components.push_back(declared);
  }
  return identity;
}

Result<CertificateRequest> AgentCertificateRequest(const PublicKey& key, const Agent& agent,
                                                   const AgentProof& proof,
                                                   const AgentNaming& naming, std::string_view arc,
                                                   const PolicyRow& row) {
  AGENTCA_TRY(CheckProof(agent, proof, row));
  const std::string dns_name = naming.DnsNameOf(agent.id);
  const std::string spiffe_id = naming.SpiffeIdOf(agent.id);
  AGENTCA_TRY(CheckSpiffeId(spiffe_id));
  AGENTCA_ASSIGN(Bytes extension, EncodeAgentIdentity(arc, AgentIdentityFor(agent, proof)));
  return CertificateRequest{
      .key = key,
      .dns_names = {dns_name},
      .uris = {spiffe_id},
      .subject = SubjectOf(agent, dns_name, InstanceOf(key)),
      .extra_extensions = {std::move(extension)},
      .policies = {LevelPolicyOid(arc, proof.attested.level)},
      .lifetime = row.lifetimes[static_cast<size_t>(agent.agent_class.lifespan)],
      .agent_arc = std::string(arc),
  };
}

}  // namespace agentca::ca
