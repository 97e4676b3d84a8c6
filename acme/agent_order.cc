#include "acme/agent_order.h"

#include <algorithm>

#include "acme/evidence_channel.h"
#include "acme/identifier.h"

namespace agentca::acme {
namespace {

bool IsInZone(const Context& context, const Identifier& identifier) {
  if (context.agents == nullptr || identifier.type != Identifier::Type::kDns) return false;
  std::string_view name = identifier.value;
  if (IsWildcard(identifier)) name.remove_prefix(2);
  return context.agents->parts.naming.IsInZone(name);
}

Error Rejected(const Identifier& identifier, std::string detail) {
  const std::string subject = SubjectOf(identifier);
  return {Code::kRejectedIdentifier,
          detail,
          "",
          {Error{Code::kRejectedIdentifier, std::move(detail), subject}}};
}

Result<std::optional<Grant>> GrantOf(const Context& context, const Account& account) {
  if (account.grant.empty()) return std::optional<Grant>();
  AGENTCA_ASSIGN(Grant grant, context.memory.store.FindGrant(account.grant));
  return std::optional<Grant>(std::move(grant));
}

Error BoundElsewhere(const Grant& grant) {
  return {Code::kUnauthorized, "the account is bound to agent " +
                                   grant.attestation.agent.ToString() +
                                   " and may order its name alone"};
}

// An agent is not proven again while its grant is young: the registration of today, its class and
// its evidence rules are asked whether what was proven then still suffices.
Result<std::optional<Attestation>> Reusable(const Context& context, const ca::AgentId& agent,
                                            const Account& account, Time now) {
  AGENTCA_ASSIGN(const auto grant, GrantOf(context, account));
  if (!grant || grant->attestation.agent != agent) return std::optional<Attestation>();
  AGENTCA_ASSIGN(const ca::Agent registered, context.agents->parts.registry.FindAgent(agent));
  const Seconds reuse =
      context.agents->parts.policy.RowFor(registered.agent_class, registered.profile).grant_reuse;
  Attestation attestation = grant->attestation;
  if (now - attestation.verified_at >= reuse) return std::optional<Attestation>();
  if (!context.agents->attestor.Recheck(registered, attestation, now).ok()) {
    return std::optional<Attestation>();
  }
  attestation.agent_version = registered.version;
  return std::optional<Attestation>(std::move(attestation));
}

}  // namespace

Result<std::optional<ca::AgentId>> AgentOrdered(const Context& context, const Account& account,
                                                const std::vector<Identifier>& identifiers) {
  AGENTCA_ASSIGN(const auto grant, GrantOf(context, account));
  const auto in_zone = std::find_if(identifiers.begin(), identifiers.end(),
                                    [&](const auto& each) { return IsInZone(context, each); });
  if (in_zone == identifiers.end()) {
    if (grant) return BoundElsewhere(*grant);
    return std::optional<ca::AgentId>();
  }
  const auto agent = context.agents->parts.naming.AgentOf(in_zone->value);
  if (!agent) {
    return Rejected(*in_zone, "names of agents are <agent>.<tenant>." +
                                  context.agents->parts.naming.zone() +
                                  "; nothing else is issued in this zone");
  }
  if (identifiers.size() > 1) {
    return Rejected(*in_zone, "an order for an agent has its name as the one identifier");
  }
  if (grant && grant->attestation.agent != *agent) return BoundElsewhere(*grant);
  Status orderable = context.agents->attestor.CheckOrderable(*agent);
  if (!orderable.ok() && orderable.error().code == Code::kRejectedIdentifier) {
    return Rejected(*in_zone, orderable.error().detail);
  }
  AGENTCA_TRY(std::move(orderable));
  return std::optional<ca::AgentId>(*agent);
}

Status CheckAgentValidity(const Context& context, const ca::AgentId& agent, const Order& order,
                          const Account& account, Time now) {
  if (!order.not_before && !order.not_after) return {};
  ca::CertificateRequest request{.key = account.key};
  request.not_before = order.not_before;
  request.not_after = order.not_after;
  const Agents& parts = context.agents->parts;
  const ca::Profile* profile = &parts.profile;
  const auto registered = parts.registry.FindAgent(agent);
  if (registered.ok()) {
    request.lifetime = parts.policy.LifetimeFor(registered->agent_class, registered->profile);
    if (!registered->profile.empty() && parts.annual_hsm != nullptr) profile = parts.annual_hsm;
  } else if (registered.error().code != Code::kNotFound) {
    return registered.error();
  }
  AGENTCA_TRY(ca::ChooseValidity(*profile, request, now));
  return {};
}

Status PrepareAgentAuthorization(const Context& context, const ca::AgentId& agent,
                                 const Account& account, Authorization& authorization, Time now) {
  // dns-01 is answered by this CA itself, from what lies at the drop.
  authorization.offered = {ChallengeType::kAgentAttest01, ChallengeType::kDns01};
  authorization.drop_key = Sha256(AsBytes(authorization.token + "." + account.thumbprint));
  AGENTCA_ASSIGN(authorization.attestation, Reusable(context, agent, account, now));
  if (authorization.attestation) {
    authorization.attempt = Attempt{.type = ChallengeType::kAgentAttest01,
                                    .state = AttemptState::kValid,
                                    .error = {},
                                    .validated_at = now};
  }
  return {};
}

void WriteAgentChallenge(JsonWriter& json, const Context& context,
                         const Authorization& authorization, Time now) {
  if (context.agents == nullptr || !IsOfAgent(authorization)) return;
  const auto agent = context.agents->parts.naming.AgentOf(authorization.identifier.value);
  if (!agent) return;
  json.Member("audience", context.links.Challenge(authorization.id, ChallengeType::kAgentAttest01));
  WriteOffer(json, context.agents->attestor.OfferFor(*agent, now));
  json.Member("drop", context.links.Drop(authorization.identifier.value, *authorization.drop_key));
}

}  // namespace agentca::acme
