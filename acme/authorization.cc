#include "acme/authorization.h"

#include <algorithm>

#include "acme/agent_order.h"
#include "acme/challenge/agent_attest01.h"
#include "acme/identifier.h"
#include "acme/order_state.h"
#include "acme/problem.h"

namespace agentca::acme {
namespace {

constexpr std::string_view kProcessingRetryAfter = "1";

// §8: flat, always with its token.
void WriteChallenge(JsonWriter& json, const Context& context, const Authorization& authorization,
                    ChallengeType type, Time now) {
  json.BeginObject();
  json.Member("type", ToString(type));
  json.Member("url", context.links.Challenge(authorization.id, type));
  json.Member("status", ToString(StatusOf(authorization, type)));
  json.Member("token", authorization.token);
  if (type == ChallengeType::kAgentAttest01) WriteAgentChallenge(json, context, authorization, now);
  const auto& attempt = authorization.attempt;
  if (attempt && attempt->type == type) {
    if (attempt->validated_at) json.Member("validated", ToRfc3339(*attempt->validated_at));
    if (attempt->error) {
      json.Key("error");
      WriteProblem(json, *attempt->error);
    }
  }
  json.EndObject();
}

std::string AuthorizationJson(const Context& context, const Authorization& authorization,
                              Time now) {
  JsonWriter json;
  json.BeginObject();
  json.Key("identifier");
  WriteIdentifier(json, authorization.identifier);
  json.Member("status", ToString(StatusOf(authorization, now)));
  json.Member("expires", ToRfc3339(authorization.expires_at));
  if (authorization.wildcard) json.Key("wildcard").Bool(true);  // §7.1.4: absent otherwise
  json.Key("challenges").BeginArray();
  for (const ChallengeType type : authorization.offered) {
    // §7.1.4: a settled authorization shows the challenge that settled it.
    const auto& attempt = authorization.attempt;
    const bool settled = attempt && attempt->state != AttemptState::kProcessing;
    if (!settled || attempt->type == type) WriteChallenge(json, context, authorization, type, now);
  }
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

bool IsProcessing(const Authorization& authorization) {
  return authorization.attempt && authorization.attempt->state == AttemptState::kProcessing;
}

http::Response AuthorizationResponse(const Context& context, const Authorization& authorization,
                                     Time now) {
  http::Response response;
  response.body = AuthorizationJson(context, authorization, now);
  response.With("Content-Type", "application/json");
  if (IsProcessing(authorization)) response.With("Retry-After", std::string(kProcessingRetryAfter));
  return response;
}

http::Response ChallengeResponse(const Context& context, const Authorization& authorization,
                                 ChallengeType type, Time now) {
  JsonWriter json;
  WriteChallenge(json, context, authorization, type, now);
  http::Response response;
  response.body = std::move(json).Take();
  response.With("Content-Type", "application/json");
  response.With("Link", "<" + context.links.Authorization(authorization.id) + ">;rel=\"up\"");
  if (StatusOf(authorization, type) == ChallengeStatus::kProcessing) {  // §8.2
    response.With("Retry-After", std::string(kProcessingRetryAfter));
  }
  return response;
}

Result<Authorization> FindOwnAuthorization(Context& context, const VerifiedRequest& request) {
  auto authorization = context.memory.store.FindAuthorization(request.id(0));
  if (!authorization.ok() && authorization.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "there is no such authorization"};
  }
  if (authorization.ok() && authorization->account_id != request.account().id) {
    return Error{Code::kUnauthorized, "the authorization belongs to another account"};
  }
  return authorization;
}

// agent-attest-01: what cannot even be read is the client's mistake, and leaves the challenge
// pending; everything else costs it.
Status CheckResponse(const Context& context, const Authorization& authorization,
                     std::string_view payload, Time now) {
  if (context.agents == nullptr) return {};
  AGENTCA_ASSIGN(const bool brings, BringsEvidence(payload));
  const auto agent = context.agents->parts.naming.AgentOf(authorization.identifier.value);
  if (!brings || !agent) return {};
  AGENTCA_ASSIGN(const auto statement, attest::ParseEvidenceStatement(payload));
  const Status formed = context.agents->attestor.CheckForm(*agent, statement, now);
  if (formed.ok() || formed.error().code == Code::kMalformed) return formed;
  return {};  // whatever else is wrong costs the challenge
}

// A place in the queue comes first, so that a challenge that begins is validated, too.
Result<http::Response> Begin(Context& context, const VerifiedRequest& request,
                             const Authorization& authorization, ChallengeType type) {
  auto place = context.validations.TryReserve(request.account().id);
  if (!place) {
    http::Response busy = ProblemResponse(503, "too many validations are waiting; try again later");
    return busy;
  }
  const auto begun = context.memory.store.BeginChallenge(
      authorization.id, type,
      type == ChallengeType::kAgentAttest01 ? request.payload() : std::string_view(),
      request.now());
  const std::string& thumbprint = request.account().thumbprint;
  if (!begun.ok()) {
    const Code code = begun.error().code;
    if (code == Code::kUnavailable || code == Code::kInternal)
      context.validations.StartIfBegun(authorization, thumbprint, std::move(place));
    return begun.error();
  }
  if (!begun->started) return ChallengeResponse(context, begun->authorization, type, request.now());
  const auto settled =
      context.validations.Start({begun->authorization, thumbprint}, std::move(place));
  if (settled.wait_for(context.validations.answer_wait()) == std::future_status::ready) {
    const auto now = context.memory.store.FindAuthorization(authorization.id);
    if (now.ok()) return ChallengeResponse(context, *now, type, request.now());
  }
  return ChallengeResponse(context, begun->authorization, type, request.now());
}

}  // namespace

Result<http::Response> HandleAuthorization(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const Authorization authorization, FindOwnAuthorization(context, request));
  if (request.is_post_as_get()) {
    return AuthorizationResponse(context, authorization, request.now());
  }
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  AGENTCA_ASSIGN(const auto status, payload.root().OptionalString("status"));
  if (status != "deactivated") {
    return Error{Code::kMalformed, "the one change allowed is to the status \"deactivated\""};
  }
  AGENTCA_ASSIGN(const Authorization changed,
                 context.memory.store.DeactivateAuthorization(authorization.id, request.now()));
  return AuthorizationResponse(context, changed, request.now());
}

Result<http::Response> HandleChallenge(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const Authorization authorization, FindOwnAuthorization(context, request));
  const auto type = ChallengeTypeFromString(request.id(1));
  const auto& offered = authorization.offered;
  if (!type || std::find(offered.begin(), offered.end(), *type) == offered.end()) {
    return Error{Code::kNotFound, "there is no such challenge"};
  }
  if (request.is_post_as_get())
    return ChallengeResponse(context, authorization, *type, request.now());
  // §7.5.1: fields of the response object that we do not know are ignored.
  AGENTCA_TRY(request.ParsePayload());
  if (StatusOf(authorization, *type) != ChallengeStatus::kPending) {
    return ChallengeResponse(context, authorization, *type, request.now());
  }
  if (StatusOf(authorization, request.now()) != AuthorizationStatus::kPending ||
      authorization.attempt) {
    return Error{Code::kMalformed,
                 "the authorization is not pending, or another of its challenges "
                 "is being validated"};
  }
  if (*type == ChallengeType::kAgentAttest01) {
    AGENTCA_TRY(CheckResponse(context, authorization, request.payload(), request.now()));
  }
  return Begin(context, request, authorization, *type);
}

}  // namespace agentca::acme
