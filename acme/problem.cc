#include "acme/problem.h"

#include <array>

#include "acme/jws.h"
#include "ca/base/bytes.h"
#include "ca/base/log.h"

namespace agentca::acme {
namespace {

constexpr std::string_view kUrnPrefix = "urn:ietf:params:acme:error:";
constexpr std::string_view kProblemType = "application/problem+json";

// §6.7 gives the types; statuses are those that the RFC names, else the closest of RFC 9110.
constexpr std::array<ProblemKind, kCodeCount> kProblems{{
    {Code::kMalformed, "malformed", 400},
    {Code::kUnsupportedMediaType, "malformed", 415},  // §6.2
    {Code::kMethodNotAllowed, "malformed", 405},      // §6.3
    {Code::kPayloadTooLarge, "malformed", 413},
    {Code::kBadNonce, "badNonce", 400},
    {Code::kBadSignatureAlgorithm, "badSignatureAlgorithm", 400},
    {Code::kBadPublicKey, "badPublicKey", 400},
    {Code::kBadCsr, "badCSR", 400},
    {Code::kBadRevocationReason, "badRevocationReason", 400},
    {Code::kAlreadyRevoked, "alreadyRevoked", 400},
    {Code::kAccountDoesNotExist, "accountDoesNotExist", 400},  // §7.3.1
    {Code::kAccountKeyInUse, "malformed", 409},                // §7.3.5
    {Code::kAccountInactive, "unauthorized", 401},             // §7.3.6
    {Code::kUnauthorized, "unauthorized", 403},
    {Code::kUserActionRequired, "userActionRequired", 403},  // §7.3.3
    {Code::kExternalAccountRequired, "externalAccountRequired", 403},
    {Code::kUnsupportedContact, "unsupportedContact", 400},
    {Code::kInvalidContact, "invalidContact", 400},
    {Code::kUnsupportedIdentifier, "unsupportedIdentifier", 400},
    {Code::kRejectedIdentifier, "rejectedIdentifier", 400},
    {Code::kCompound, "compound", 400},
    {Code::kOrderNotReady, "orderNotReady", 403},  // §7.4
    {Code::kRateLimited, "rateLimited", 429},
    {Code::kConnection, "connection", 400},
    {Code::kDns, "dns", 400},
    {Code::kTls, "tls", 400},
    {Code::kIncorrectResponse, "incorrectResponse", 400},
    {Code::kBadAttestation, "badAttestationStatement", 403},
    {Code::kNotFound, "malformed", 404},
    {Code::kConflict, "malformed", 409},
    {Code::kUnavailable, "serverInternal", 503},
    {Code::kInternal, "serverInternal", 500},
}};

constexpr bool IsComplete() {
  for (size_t i = 0; i < kProblems.size(); ++i) {
    if (static_cast<size_t>(kProblems[i].code) != i || kProblems[i].type.empty()) return false;
  }
  return true;
}
static_assert(IsComplete(), "one row for every Code, in its order");

std::string DetailOf(const Error& error) {
  if (error.code != Code::kInternal) return error.detail;
  return error.subject.empty() ? "internal error" : "internal error, incident " + error.subject;
}

void WriteCause(JsonWriter& json, const Error& cause) {
  json.BeginObject();
  json.Member("type", std::string(kUrnPrefix) + std::string(KindOf(cause.code).type));
  json.Member("detail", DetailOf(cause));
  const size_t colon = cause.subject.find(':');
  if (cause.code != Code::kInternal && colon != std::string::npos) {
    json.Key("identifier").BeginObject();
    json.Member("type", std::string_view(cause.subject).substr(0, colon));
    json.Member("value", std::string_view(cause.subject).substr(colon + 1));
    json.EndObject();
  }
  json.EndObject();
}

void WriteProblem(JsonWriter& json, const Error& error, int status) {
  json.BeginObject();
  json.Member("type", std::string(kUrnPrefix) + std::string(KindOf(error.code).type));
  json.Member("detail", DetailOf(error));
  json.Key("status").Int(status);
  if (error.code == Code::kBadSignatureAlgorithm) {
    json.Key("algorithms").BeginArray();  // §6.2: those that we support
    for (const std::string_view name : kJwsAlgorithms) json.String(name);
    json.EndArray();
  }
  if (error.code == Code::kUserActionRequired) json.Member("instance", error.subject);
  if (!error.causes.empty()) {
    json.Key("subproblems").BeginArray();
    for (const Error& cause : error.causes) WriteCause(json, cause);
    json.EndArray();
  }
  json.EndObject();
}

http::Response MakeResponse(const Error& error, int status,
                            Seconds wait = Seconds(kRetryAfterSeconds)) {
  JsonWriter json;
  WriteProblem(json, error, status);
  http::Response response;
  response.status = status;
  response.body = std::move(json).Take();
  response.With("Content-Type", std::string(kProblemType));
  if (status == 503 || status == 429) {
    response.With("Retry-After", std::to_string(wait.count()));
  }
  return response;
}

}  // namespace

const ProblemKind& KindOf(Code code) { return kProblems[static_cast<size_t>(code)]; }

Error Disclose(Error error, Random& random) {
  if (error.code == Code::kUnavailable) {
    Log(Level::kWarning, "a dependency is away", {{"detail", error.detail}});
    return {Code::kUnavailable, "the service is for the moment unable to do this; try again later"};
  }
  if (error.code != Code::kInternal) return error;
  std::array<uint8_t, 8> octets{};
  random.Fill(octets);
  std::string incident = ToHex(octets);
  Log(Level::kError, "internal error",
      {{"incident", incident}, {"detail", error.detail}, {"subject", error.subject}});
  return {Code::kInternal, "", std::move(incident)};
}

void WriteProblem(JsonWriter& json, const Error& error) {
  WriteProblem(json, error, KindOf(error.code).status);
}

std::string ProblemJson(const Error& error) {
  JsonWriter json;
  WriteProblem(json, error);
  return std::move(json).Take();
}

http::Response ProblemResponse(const Error& error) {
  http::Response response = MakeResponse(error, KindOf(error.code).status);
  if (error.code == Code::kUserActionRequired) {
    response.With("Link", "<" + error.subject + ">;rel=\"terms-of-service\"");
  }
  return response;
}

http::Response RateLimitedResponse(std::string_view detail, Seconds wait) {
  return MakeResponse({Code::kRateLimited, std::string(detail)}, KindOf(Code::kRateLimited).status,
                      wait);
}

http::Response ProblemResponse(int status, std::string_view detail) {
  const Code code = status == 503   ? Code::kUnavailable
                    : status >= 500 ? Code::kInternal
                    : status == 429 ? Code::kRateLimited
                                    : Code::kMalformed;
  return MakeResponse({code, std::string(detail)}, status);
}

}  // namespace agentca::acme
