#include "acme/agent_finalize.h"

#include <algorithm>

#include "acme/agent_order.h"
#include "acme/drift.h"
#include "ca/agent_certificate.h"

namespace agentca::acme {
namespace {

constexpr std::string_view kAnnualHsm = "annual-hsm";

Result<const Attestation*> ProofOf(const OrderView& view) {
  const bool one = view.authorizations.size() == 1;
  if (one && view.authorizations.front().attestation) {
    return &*view.authorizations.front().attestation;
  }
  return Error{Code::kUnauthorized, "nothing proves the agent of this order"};
}

Result<const ca::Profile*> ProfileOf(const Agents& parts, const ca::Agent& agent) {
  if (agent.profile.empty()) return &parts.profile;
  if (agent.profile == kAnnualHsm && parts.annual_hsm != nullptr) return parts.annual_hsm;
  return Error{Code::kUnauthorized,
               "this CA has no profile \"" + agent.profile + "\" for agent " + agent.id.ToString()};
}

// K in the evidence, in `spki`, and in the CSR: one key, or a relay could put in its own.
Status CheckKey(const Attestation& attestation, const ca::Csr& csr) {
  if (!attestation.key || *attestation.key == csr.key.spki_sha256()) return {};
  return Error{Code::kBadCsr, "the CSR's key (SHA-256 " + ToHex(csr.key.spki_sha256()) +
                                  ") is not the attested key (SHA-256 " + ToHex(*attestation.key) +
                                  ")"};
}

ca::AgentProof CertifiedProof(const Attestation& attestation) {
  return {.attested = {.format = attestation.format,
                       .level = attestation.level,
                       .verified_at = attestation.verified_at,
                       .key_bound = attestation.key_bound,
                       .evidence_hash = ToBytes(attestation.evidence_hash)},
          .components = attestation.components};
}

// Evidence for the order itself is good for minutes; what is older comes from a grant.
Seconds GreatestAge(const Agents& parts, const Order& order, const Attestation& attestation,
                    const ca::PolicyRow& row) {
  const bool from_grant = attestation.verified_at < order.created_at;
  return from_grant ? row.grant_reuse : parts.policy.raw().evidence_age;
}

ca::Reason ReasonFor(ca::AgentStatus status) {
  return status == ca::AgentStatus::kRetired ? ca::Reason::kCessationOfOperation
                                             : ca::Reason::kPrivilegeWithdrawn;
}

}  // namespace

bool IsForAgent(const Context& context, const OrderView& view) {
  const auto in_zone = [&](const Authorization& each) {
    return IsOfAgent(each) ||
           (context.agents != nullptr && each.identifier.type == Identifier::Type::kDns &&
            context.agents->parts.naming.IsInZone(each.identifier.value));
  };
  return std::any_of(view.authorizations.begin(), view.authorizations.end(), in_zone);
}

Result<Issuable> IssuableForAgent(const Context& context, const OrderView& view, const ca::Csr& csr,
                                  const Bytes& csr_der, Time now) {
  if (context.agents == nullptr) {
    return Error{Code::kUnauthorized, "this CA no longer serves agents"};
  }
  const Agents& parts = context.agents->parts;
  AGENTCA_ASSIGN(const Attestation* attestation, ProofOf(view));
  auto agent = parts.registry.FindAgent(attestation->agent);
  if (!agent.ok() && agent.error().code == Code::kNotFound) {
    return Error{Code::kUnauthorized, "there is no agent " + attestation->agent.ToString()};
  }
  if (!agent.ok()) return std::move(agent).error();
  AGENTCA_TRY(context.agents->attestor.Recheck(*agent, *attestation, now));
  if (agent->version != attestation->agent_version) {
    return Error{Code::kUnauthorized, "the registration of agent " + agent->id.ToString() +
                                          " changed since the evidence; make a new order"};
  }
  AGENTCA_TRY(CheckKey(*attestation, csr));

  const ca::PolicyRow& row = parts.policy.RowFor(agent->agent_class, agent->profile);
  AGENTCA_ASSIGN(const ca::Profile* profile, ProfileOf(parts, *agent));
  AGENTCA_ASSIGN(ca::CertificateRequest request,
                 ca::AgentCertificateRequest(csr.key, *agent, CertifiedProof(*attestation),
                                             parts.naming, parts.arc, row));
  request.not_before = view.order.not_before;
  request.not_after = view.order.not_after;
  request.reference = view.order.id;
  request.owner = view.order.account_id;

  FinalizeGuard guard;
  guard.agent = agent->id;
  guard.agent_version = attestation->agent_version;
  // People take their time: what was fresh when they were asked is fresh enough.
  const Time asked_at = view.order.approval ? view.order.approval->asked_at : now;
  guard.verified_after = asked_at - GreatestAge(parts, view.order, *attestation, row);
  std::optional<Approval> approval;
  if (row.approval) {
    approval = Approval{.agent = agent->id,
                        .csr = csr_der,
                        .asked_at = now,
                        .decided_by = {},
                        .reason = {},
                        .decided_at = {}};
  }
  return Issuable{profile, std::move(request), std::move(guard), std::move(approval)};
}

void RecheckAgent(Context& context, const OrderView& view, const ca::Serial& serial, Time now) {
  const ca::AgentId agent = view.authorizations.front().attestation->agent;
  const auto recheck =
      [&registry = context.agents->parts.registry, &revoker = context.authority.revoker,
       on_revoked = context.authority.on_revoked, issuer = context.authority.issuance.issuer().id(),
       serial, agent, now]() -> Status {
    const auto found = registry.FindAgent(agent);
    if (!found.ok()) return found.error();
    if (found->status == ca::AgentStatus::kActive) return {};
    const std::string by = "agent " + agent.ToString() + ", " +
                           std::string(ToString(found->status)) + " while it was being certified";
    Status revoked = revoker.Revoke(issuer, serial, ReasonFor(found->status), by, now);
    if (!revoked.ok() && revoked.error().code != Code::kAlreadyRevoked) return revoked;
    if (on_revoked) on_revoked();
    return {};
  };
  context.settlement.Insist("recheck of agent " + agent.ToString() + " after its certificate",
                            recheck);
}

void FollowUp(Context& context, const OrderView& view, const ca::Certificate& certificate,
              Time now) {
  RecheckAgent(context, view, certificate.serial, now);
  NoteDrift(context, view, certificate, now);
}

}  // namespace agentca::acme
