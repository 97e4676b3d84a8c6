#include "acme/directory.h"

#include "acme/json.h"

namespace agentca::acme {

http::Response DirectoryResponse(const Context& context) {
  const Links& links = context.links;
  const Policy& policy = context.policy;
  JsonWriter json;
  json.BeginObject();
  json.Member("newNonce", links.NewNonce());
  json.Member("newAccount", links.NewAccount());
  json.Member("newOrder", links.NewOrder());
  json.Member("revokeCert", links.RevokeCert());
  json.Member("keyChange", links.KeyChange());
  if (!policy.terms_of_service.empty() || !policy.website.empty() || policy.require_grant) {
    json.Key("meta").BeginObject();
    if (!policy.terms_of_service.empty()) json.Member("termsOfService", policy.terms_of_service);
    if (!policy.website.empty()) json.Member("website", policy.website);
    if (policy.require_grant) json.Key("externalAccountRequired").Bool(true);
    json.EndObject();
  }
  json.EndObject();
  http::Response response;
  response.body = std::move(json).Take();
  response.With("Content-Type", "application/json");
  return response;
}

// The nonce itself is added to every response that carries one, in one place: routes.cc.
http::Response NonceResponse(const Context&) {
  http::Response response;
  response.status = 204;
  return response;
}

Result<http::Response> HandleDirectory(Context& context, const VerifiedRequest&) {
  return DirectoryResponse(context);
}

Result<http::Response> HandleNewNonce(Context& context, const VerifiedRequest&) {
  return NonceResponse(context);
}

}  // namespace agentca::acme
