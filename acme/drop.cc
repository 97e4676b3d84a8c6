#include "acme/drop.h"

#include <algorithm>

#include "acme/evidence_channel.h"
#include "acme/order_state.h"
#include "acme/problem.h"

namespace agentca::acme {
namespace {

Error NoSuchDrop() {
  return {Code::kNotFound, "no pending challenge has this name and this value"};
}

struct Drop {
  Authorization authorization;
  ca::AgentId agent;
  Sha256Digest nonce;
};

Result<Drop> FindDrop(const Context& context, const std::vector<std::string>& ids, Time now) {
  const auto agent = context.agents->parts.naming.AgentOf(ids.at(0));
  const auto nonce = FromBase64Url(ids.at(1));
  Drop drop;
  if (!agent || !nonce.ok() || nonce->size() != drop.nonce.size()) return NoSuchDrop();
  std::copy(nonce->begin(), nonce->end(), drop.nonce.begin());
  auto found = context.memory.store.FindByDropKey({Identifier::Type::kDns, ids[0]}, drop.nonce);
  if (!found.ok() && found.error().code == Code::kNotFound) return NoSuchDrop();
  if (!found.ok()) return std::move(found).error();
  // RFC 8555 §7.3.5: after a change of the account's key what was made for the old one is void.
  const std::string today = found->authorization.token + "." + found->thumbprint;
  if (!ConstantTimeEqual(Sha256(AsBytes(today)), drop.nonce)) return NoSuchDrop();
  if (StatusOf(found->authorization, now) != AuthorizationStatus::kPending) return NoSuchDrop();
  drop.authorization = std::move(found->authorization);
  drop.agent = *agent;
  return drop;
}

std::string AudienceOf(const Context& context, const Drop& drop) {
  return context.links.Challenge(drop.authorization.id, ChallengeType::kAgentAttest01);
}

http::Response Describe(const Context& context, const Drop& drop, Time now) {
  JsonWriter json;
  json.BeginObject().Member("audience", AudienceOf(context, drop));
  WriteOffer(json, context.agents->attestor.OfferFor(drop.agent, now));
  json.Member("nonce", ToBase64Url(drop.nonce));
  json.Member("status", drop.authorization.attestation ? "dropped" : "pending").EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<http::Response> Accept(Context& context, const http::Request& request, const Drop& drop,
                              Time now) {
  AGENTCA_TRY(CheckEvidenceBody(request));
  if (drop.authorization.attestation) {
    return Error{Code::kConflict, "evidence was dropped before"};
  }
  AGENTCA_ASSIGN(const auto statement, attest::ParseEvidenceStatement(request.body));
  if (auto limited = LimitVerifications(context, now)) return *std::move(limited);
  AGENTCA_ASSIGN(
      const Attestation attestation,
      context.agents->attestor.Attest(
          drop.agent, {.audience = AudienceOf(context, drop), .nonce = drop.nonce, .now = now},
          statement));
  AGENTCA_TRY(AuditAttestation(context.memory.audit, attestation,
                               "authorization " + drop.authorization.id, now));
  AGENTCA_TRY(context.memory.store.RecordDrop(drop.authorization.id, attestation, now));
  JsonWriter json;
  json.BeginObject().Member("status", "dropped").Member("agent", drop.agent.ToString());
  json.Member("format", attestation.format).Key("level").Int(attestation.level);
  json.Key("keyBound").Bool(attestation.key_bound).EndObject();
  return JsonResponse(200, std::move(json).Take());
}

}  // namespace

Result<http::Response> HandleDrop(Context& context, const http::Request& request,
                                  const std::vector<std::string>& ids) {
  if (context.agents == nullptr) return NoSuchDrop();
  const Time now = context.world.clock.Now();
  if (auto limited = LimitByAddress(context, request, now)) return *std::move(limited);
  AGENTCA_ASSIGN(const Drop drop, FindDrop(context, ids, now));
  if (request.method != "POST") return Describe(context, drop, now);
  return Accept(context, request, drop, now);
}

}  // namespace agentca::acme
