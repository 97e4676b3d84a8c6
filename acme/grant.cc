#include "acme/grant.h"

#include "acme/evidence_channel.h"
#include "acme/problem.h"
#include "ca/dns_name.h"

namespace agentca::acme {
namespace {

constexpr std::string_view kAgentQuery = "agent=";
constexpr size_t kMacKeyOctets = 32;

Result<ca::AgentId> AgentNamed(const Context& context, std::string_view name) {
  const auto id = context.agents->parts.naming.AgentOf(ca::ToLowerAscii(name));
  if (id) return *id;
  return Error{Code::kRejectedIdentifier,
               "\"agent\" must be <agent>.<tenant>." + context.agents->parts.naming.zone()};
}

Result<http::Response> Describe(Context& context, const http::Request& request, Time now) {
  if (!request.query.starts_with(kAgentQuery)) {
    return Error{Code::kMalformed, "the query must be agent=<dns name>"};
  }
  AGENTCA_ASSIGN(const ca::AgentId id,
                 AgentNamed(context, std::string_view(request.query).substr(kAgentQuery.size())));
  AGENTCA_TRY(context.agents->attestor.CheckOrderable(id));
  const std::string token = context.agents->tokens.Issue(now);
  JsonWriter json;
  json.BeginObject().Member("audience", context.links.Grant()).Member("token", token);
  json.Member("nonce", ToBase64Url(Sha256(AsBytes(token))));
  WriteOffer(json, context.agents->attestor.OfferFor(id, now));
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Grant MakeGrant(Context& context, Attestation attestation, Time now) {
  Grant grant;
  grant.key_id = NewId(now, context.world.random);
  grant.mac_key.resize(kMacKeyOctets);
  context.world.random.Fill(grant.mac_key);
  // 255 bits: its base64url form, an argument of clients' command lines, never begins with "-".
  grant.mac_key.front() &= 0x7f;
  grant.attestation = std::move(attestation);
  grant.created_at = now;
  grant.expires_at = now + kGrantLifetime;
  return grant;
}

http::Response Granted(Grant grant) {
  const Secret key(std::move(grant.mac_key));
  JsonWriter json;
  json.BeginObject().Member("kid", grant.key_id).Member("hmacKey", ToBase64Url(key.view()));
  json.Member("agent", grant.attestation.agent.ToString());
  json.Member("expires", ToRfc3339(grant.expires_at));
  json.Key("level").Int(grant.attestation.level).EndObject();
  return JsonResponse(201, std::move(json).Take());
}

Result<http::Response> Accept(Context& context, const http::Request& request, Time now) {
  AGENTCA_TRY(CheckEvidenceBody(request));
  AGENTCA_ASSIGN(const JsonDocument body, JsonDocument::Parse(request.body));
  AGENTCA_ASSIGN(const std::string name, body.root().String("agent"));
  AGENTCA_ASSIGN(const std::string token, body.root().String("token"));
  AGENTCA_ASSIGN(const ca::AgentId id, AgentNamed(context, name));
  AGENTCA_ASSIGN(const auto statement, attest::ParseEvidenceStatement(request.body));
  if (auto limited = LimitVerifications(context, now)) return *std::move(limited);
  AGENTCA_TRY(context.agents->tokens.Spend(token, now));
  AGENTCA_ASSIGN(
      Attestation attestation,
      context.agents->attestor.Attest(
          id, {.audience = context.links.Grant(), .nonce = Sha256(AsBytes(token)), .now = now},
          statement));
  Grant grant = MakeGrant(context, std::move(attestation), now);
  AGENTCA_TRY(
      AuditAttestation(context.memory.audit, grant.attestation, "grant " + grant.key_id, now));
  AGENTCA_TRY(context.memory.store.RecordGrant(grant));
  return Granted(std::move(grant));
}

}  // namespace

Result<http::Response> HandleGrant(Context& context, const http::Request& request,
                                   const std::vector<std::string>&) {
  if (context.agents == nullptr) return Error{Code::kNotFound, "there is no such resource"};
  const Time now = context.world.clock.Now();
  if (auto limited = LimitByAddress(context, request, now)) return *std::move(limited);
  return request.method == "POST" ? Accept(context, request, now) : Describe(context, request, now);
}

}  // namespace agentca::acme
