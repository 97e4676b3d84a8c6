#include "acme/evidence_channel.h"

#include "acme/problem.h"

namespace agentca::acme {

std::optional<http::Response> LimitByAddress(Context& context, const http::Request& request,
                                             Time now) {
  const auto wait = context.agents->by_address.Spend(RateLimitKeyOf(request.remote_address), now);
  if (!wait) return std::nullopt;
  return RateLimitedResponse("too many requests about evidence from this address", *wait);
}

std::optional<http::Response> LimitVerifications(Context& context, Time now) {
  const auto wait = context.agents->verifications.Spend("", now);
  if (!wait) return std::nullopt;
  return RateLimitedResponse("too much evidence is waiting to be verified", *wait);
}

Status CheckEvidenceBody(const http::Request& request) {
  std::string_view type = request.Header("Content-Type");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (!http::EqualNames(type, "application/json")) {
    return Error{Code::kUnsupportedMediaType, "Content-Type must be application/json"};
  }
  if (request.body.size() > kMaxEvidenceBody) {
    return Error{Code::kPayloadTooLarge, "evidence may have 128 KiB"};
  }
  return {};
}

void WriteOffer(JsonWriter& json, const Attestor::Offer& offer) {
  json.Key("formats").BeginArray();
  for (const std::string& format : offer.formats) json.String(format);
  json.EndArray();
  json.Member("keyBinding", offer.key_binding ? "required" : "optional");
}

http::Response JsonResponse(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  response.With("Content-Type", "application/json");
  return response;
}

}  // namespace agentca::acme
