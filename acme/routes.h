// From an HTTP request to its handler, by one table (routes.cc) that is the security policy.
#pragma once

#include <optional>

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/nonce.h"
#include "acme/verified_request.h"

namespace agentca::acme {

// Thread-safe. Adds what every response carries: a nonce (§6.5), the link to the directory (§7.1)
// and Cache-Control; turns errors into problem documents and internal ones into incident numbers.
class Router {
 public:
  Router(Context& context, NonceBook& nonces);
  http::Response Handle(const http::Request& request);
  // Directory and newNonce by GET or HEAD, and what only reads a few rows of the store: small
  // POST-as-GET requests (§6.3) for most resources. nullopt for the rest, and for every POST where
  // a spent nonce is known to a store elsewhere alone: nobody may wait for that here.
  std::optional<http::Response> HandleFast(const http::Request& request);
  http::Response Refuse(int status, std::string_view detail);

 private:
  std::optional<http::Response> HandleOpen(const http::Request& request);
  Result<http::Response> Dispatch(const http::Request& request);
  http::Response Finish(const http::Request& request, Result<http::Response> outcome);
  http::Response Complete(const http::Request& request, http::Response response);
  http::Response ErrorResponse(Error error);

  Context& context_;
  NonceBook& nonces_;
  const Authenticator authenticator_;
};

}  // namespace agentca::acme
