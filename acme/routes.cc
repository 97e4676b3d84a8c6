#include "acme/routes.h"

#include <algorithm>
#include <array>

#include "acme/account.h"
#include "acme/agent_order.h"
#include "acme/authorization.h"
#include "acme/directory.h"
#include "acme/drop.h"
#include "acme/finalize.h"
#include "acme/grant.h"
#include "acme/key_change.h"
#include "acme/order.h"
#include "acme/path_pattern.h"
#include "acme/problem.h"
#include "acme/revocation.h"

namespace agentca::acme {
namespace {

using SignedHandler = Result<http::Response> (*)(Context&, const VerifiedRequest&);
using OpenHandler = http::Response (*)(const Context&);
// GET, HEAD and POST of a resource that nobody signs for: evidence speaks for itself.
using EvidenceHandler = Result<http::Response> (*)(Context&, const http::Request&,
                                                   const std::vector<std::string>& ids);

enum class Payload : uint8_t {
  kEmpty,   // POST-as-GET only (RFC 8555 §6.3)
  kObject,  // never POST-as-GET
  kEither,  // looks without a payload, acts with one
};

struct Route {
  std::string_view path;  // "*" stands for one segment
  KeyRule key;            // who may sign a POST
  Payload payload;
  SignedHandler on_post;
  OpenHandler on_get = nullptr;  // without signature; null: 405
  EvidenceHandler on_evidence = nullptr;
};

constexpr Route EvidenceRoute(std::string_view path, EvidenceHandler handler) {
  return {path, KeyRule::kKid, Payload::kObject, nullptr, nullptr, handler};
}

// A POST to anything here is answered by its handler only after Authenticator was satisfied by the
// `key` rule. Those who do not sign get the directory and nonces, and may bring evidence about
// agents: its two handlers limit their callers and believe nothing but the evidence.
constexpr std::array<Route, 15> kRoutes{{
    {"/directory", KeyRule::kKid, Payload::kEmpty, HandleDirectory, DirectoryResponse},
    {"/acme/new-nonce", KeyRule::kKid, Payload::kEmpty, HandleNewNonce, NonceResponse},
    {"/acme/new-account", KeyRule::kJwk, Payload::kObject, HandleNewAccount},
    {"/acme/account/*", KeyRule::kKid, Payload::kEither, HandleAccount},
    {"/acme/account/*/orders", KeyRule::kKid, Payload::kEmpty, HandleOrderList},
    {"/acme/key-change", KeyRule::kKid, Payload::kObject, HandleKeyChange},
    {"/acme/new-order", KeyRule::kKid, Payload::kObject, HandleNewOrder},
    {"/acme/order/*", KeyRule::kKid, Payload::kEmpty, HandleOrder},
    {"/acme/order/*/finalize", KeyRule::kKid, Payload::kObject, HandleFinalize},
    {"/acme/order/*/certificate", KeyRule::kKid, Payload::kEmpty, HandleCertificate},
    {"/acme/authz/*", KeyRule::kKid, Payload::kEither, HandleAuthorization},
    {"/acme/challenge/*/*", KeyRule::kKid, Payload::kEither, HandleChallenge},
    {"/acme/revoke-cert", KeyRule::kEither, Payload::kObject, HandleRevocation},
    EvidenceRoute("/acme/drop/*/*", HandleDrop),
    EvidenceRoute("/acme/grant", HandleGrant),
}};

// Of these, asked to look and not to act, none waits for anybody or looks at many rows. A request
// that only looks is small.
constexpr std::array<SignedHandler, 5> kQuickLooks{HandleAccount, HandleOrder, HandleCertificate,
                                                   HandleAuthorization, HandleChallenge};
constexpr size_t kMaxQuickBody = 4096;

bool LooksQuickly(SignedHandler handler) {
  return std::find(kQuickLooks.begin(), kQuickLooks.end(), handler) != kQuickLooks.end();
}

constexpr std::string_view kDirectoryPath = kRoutes[0].path;
constexpr std::string_view kNoncePath = kRoutes[1].path;

struct Found {
  const Route* route;
  std::vector<std::string> ids;
};
std::optional<Found> FindRoute(std::string_view path) {
  for (const Route& route : kRoutes) {
    if (auto ids = MatchPath(route.path, path)) return Found{&route, *std::move(ids)};
  }
  return std::nullopt;
}

// The challenges of an agent say what evidence would do today, which takes rules and sources: there
// may be many, and their keys are parsed. Whose an authorization is takes one row to see.
bool MayShowOffer(const Context& context, const Found& found) {
  const SignedHandler handler = found.route->on_post;
  if (context.agents == nullptr) return false;
  if (handler != HandleAuthorization && handler != HandleChallenge) return false;
  const auto authorization = context.memory.store.FindAuthorization(found.ids.front());
  return !authorization.ok() || IsOfAgent(*authorization);
}

Status CheckPayload(const VerifiedRequest& request, Payload rule) {
  if (rule == Payload::kEmpty && !request.is_post_as_get()) {
    return Error{Code::kMalformed, "the payload of a POST-as-GET must be empty"};
  }
  if (rule == Payload::kObject && request.is_post_as_get()) {
    return Error{Code::kMalformed, "payload must be a JSON object"};
  }
  return {};
}

bool IsGet(const http::Request& request) {
  return request.method == "GET" || request.method == "HEAD";
}

http::Response NotAllowed(const Route& route) {
  http::Response response =
      ProblemResponse(Error{Code::kMethodNotAllowed, "this resource needs a signed POST"});
  const bool open = route.on_get != nullptr || route.on_evidence != nullptr;
  response.With("Allow", open ? "GET, HEAD, POST" : "POST");
  return response;
}

}  // namespace

Router::Router(Context& context, NonceBook& nonces)
    : context_(context), nonces_(nonces), authenticator_(context.accounts, nonces, context.links) {}

http::Response Router::Handle(const http::Request& request) {
  if (auto open = HandleOpen(request)) return *std::move(open);
  return Finish(request, Dispatch(request));
}

Result<http::Response> Router::Dispatch(const http::Request& request) {
  auto found = FindRoute(request.path);
  if (!found) return Error{Code::kNotFound, "there is no such resource"};
  const Route& route = *found->route;
  if (route.on_evidence != nullptr && (IsGet(request) || request.method == "POST")) {
    return route.on_evidence(context_, request, found->ids);
  }
  if (request.method != "POST") return NotAllowed(route);
  AGENTCA_ASSIGN(const VerifiedRequest verified,
                 authenticator_.Authenticate(request, route.key, std::move(found->ids),
                                             context_.world.clock.Now()));
  AGENTCA_TRY(CheckPayload(verified, route.payload));
  return route.on_post(context_, verified);
}

std::optional<http::Response> Router::HandleFast(const http::Request& request) {
  if (auto open = HandleOpen(request)) return open;
  if (request.method != "POST" || request.body.size() > kMaxQuickBody) return std::nullopt;
  if (nonces_.spends_elsewhere()) return std::nullopt;
  auto found = FindRoute(request.path);
  if (!found || !LooksQuickly(found->route->on_post)) return std::nullopt;
  auto jws = Jws::Parse(request.body);
  if (!jws.ok() || !jws->payload.empty()) return std::nullopt;
  if (MayShowOffer(context_, *found)) return std::nullopt;
  const auto look = [&]() -> Result<http::Response> {
    AGENTCA_ASSIGN(const VerifiedRequest verified,
                   authenticator_.Authenticate(request, *std::move(jws), found->route->key,
                                               std::move(found->ids), context_.world.clock.Now()));
    return found->route->on_post(context_, verified);
  };
  return Finish(request, look());
}

std::optional<http::Response> Router::HandleOpen(const http::Request& request) {
  if (!IsGet(request)) return std::nullopt;
  for (const Route& route : kRoutes) {
    if (route.on_get == nullptr || route.path != request.path) continue;
    http::Response response = route.on_get(context_);
    // §7.2: "200 (OK) for HEAD, 204 (No Content) for GET" of newNonce.
    if (request.method == "HEAD") response.status = 200;
    return Complete(request, std::move(response));
  }
  return std::nullopt;
}

http::Response Router::Refuse(int status, std::string_view detail) {
  http::Request unknown;
  unknown.method = "POST";  // it may have been one: a fresh nonce does no harm
  return Complete(unknown, ProblemResponse(status, detail));
}

http::Response Router::Finish(const http::Request& request, Result<http::Response> outcome) {
  return Complete(request, outcome.ok() ? std::move(outcome).value()
                                        : ErrorResponse(std::move(outcome).error()));
}

http::Response Router::Complete(const http::Request& request, http::Response response) {
  if (request.method == "POST" || request.path == kNoncePath) {
    response.With("Replay-Nonce", nonces_.Issue(context_.world.clock.Now()));
  }
  if (request.path != kDirectoryPath) {
    response.With("Link", "<" + context_.links.Directory() + ">;rel=\"index\"");
  }
  response.With("Cache-Control", "no-store");
  if (request.method == "HEAD") response.body.clear();
  return response;
}

http::Response Router::ErrorResponse(Error error) {
  const Error disclosed = Disclose(std::move(error), context_.world.random);
  http::Response response = ProblemResponse(disclosed);
  if (disclosed.code == Code::kAccountKeyInUse) {  // §7.3.5: whose key it is
    response.With("Location", context_.links.Account(disclosed.subject));
  }
  return response;
}

}  // namespace agentca::acme
