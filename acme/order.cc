#include "acme/order.h"

#include <algorithm>
#include <array>

#include "acme/agent_order.h"
#include "acme/identifier.h"
#include "acme/order_state.h"
#include "acme/problem.h"

namespace agentca::acme {
namespace {

constexpr size_t kTokenOctets = 16;  // §8.3: "at least 128 bits of entropy"
constexpr size_t kOrdersPerPage = 50;
constexpr std::string_view kCursor = "cursor=";
constexpr std::string_view kProcessingRetryAfter = "1";
constexpr std::string_view kApprovalRetryAfter = "15";  // humans take longer than keys

std::string OrderJson(const Links& links, const OrderView& view, Time now) {
  const Order& order = view.order;
  const OrderStatus status = StatusOf(order, view.authorizations, now);
  JsonWriter json;
  json.BeginObject();
  json.Member("status", ToString(status));
  json.Member("expires", ToRfc3339(order.expires_at));
  json.Key("identifiers").BeginArray();
  for (const Identifier& identifier : order.identifiers) WriteIdentifier(json, identifier);
  json.EndArray();
  if (order.not_before) json.Member("notBefore", ToRfc3339(*order.not_before));
  if (order.not_after) json.Member("notAfter", ToRfc3339(*order.not_after));
  json.Key("authorizations").BeginArray();
  for (const Authorization& each : view.authorizations) json.String(links.Authorization(each.id));
  json.EndArray();
  json.Member("finalize", links.Finalize(order.id));
  if (status == OrderStatus::kValid) json.Member("certificate", links.Certificate(order.id));
  if (const auto error = ErrorOf(order, view.authorizations, now)) {
    json.Key("error");
    WriteProblem(json, *error);
  }
  json.EndObject();
  return std::move(json).Take();
}

Result<std::optional<Time>> OptionalTime(const JsonValue& payload, std::string_view name) {
  AGENTCA_ASSIGN(const auto text, payload.OptionalString(name));
  if (!text) return std::optional<Time>();
  const auto time = FromRfc3339(*text);
  if (!time.ok()) {
    return Error{Code::kMalformed, "member \"" + std::string(name) + "\" must be an RFC 3339 time"};
  }
  return std::optional<Time>(*time);
}

// §7.4: times are honoured as they are or the order is refused, now rather than at finalize. The
// rule is the CA's; only the key is not known yet.
Status CheckValidity(const Context& context, const Order& order, const Account& account, Time now) {
  ca::CertificateRequest request{account.key,     {}, {}, {}, {}, order.not_before,
                                 order.not_after, {}, {}, {}};
  AGENTCA_TRY(ca::ChooseValidity(context.authority.profile, request, now));
  const Time end = context.authority.issuance.issuer().certificate().not_after;
  if (order.not_after && *order.not_after > end) {
    return Error{Code::kMalformed, "notAfter is beyond the end of the issuing certificate"};
  }
  return {};
}

std::string NewToken(Random& random) {
  std::array<uint8_t, kTokenOctets> octets{};
  random.Fill(octets);
  return ToBase64Url(octets);
}

Authorization MakeAuthorization(const Context& context, const Order& order,
                                const Identifier& identifier) {
  Authorization authorization;
  authorization.id = NewId(order.created_at, context.world.random);
  authorization.order_id = order.id;
  authorization.account_id = order.account_id;
  authorization.identifier = identifier;
  authorization.wildcard = IsWildcard(identifier);
  if (authorization.wildcard) authorization.identifier.value.erase(0, 2);  // §7.1.4: the base name
  authorization.token = NewToken(context.world.random);
  authorization.expires_at = order.created_at + context.policy.authorization_lifetime;
  return authorization;
}

// Those of RFC 8555, for names outside the agents zone.
Status OfferChallenges(const Context& context, const Identifier& identifier,
                       Authorization& authorization) {
  for (const ChallengeType type : ChallengeTypesFor(identifier)) {
    if (context.validations.Offers(type)) authorization.offered.push_back(type);
  }
  if (!authorization.offered.empty()) return {};
  return Error{Code::kRejectedIdentifier, "no challenge of this CA can prove this identifier",
               SubjectOf(identifier)};
}

Result<std::vector<Authorization>> MakeAuthorizations(const Context& context, const Order& order,
                                                      const std::optional<ca::AgentId>& agent,
                                                      const Account& account) {
  std::vector<Authorization> authorizations;
  for (const Identifier& identifier : order.identifiers) {
    Authorization authorization = MakeAuthorization(context, order, identifier);
    if (agent) {
      AGENTCA_TRY(
          PrepareAgentAuthorization(context, *agent, account, authorization, order.created_at));
    } else {
      AGENTCA_TRY(OfferChallenges(context, identifier, authorization));
    }
    authorizations.push_back(std::move(authorization));
  }
  return authorizations;
}

Result<Order> ParseOrder(const Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  const ca::RawProfile& profile = context.authority.profile.raw();
  const IdentifierRules rules{context.policy.allow_names, profile.allow_wildcards,
                              profile.allow_ip_addresses && context.policy.allow_ip_identifiers};
  const size_t max = std::min<size_t>(context.policy.max_identifiers, profile.max_names);
  Order order;
  AGENTCA_ASSIGN(order.identifiers, ParseIdentifiers(payload.root(), rules, max));
  AGENTCA_ASSIGN(order.not_before, OptionalTime(payload.root(), "notBefore"));
  AGENTCA_ASSIGN(order.not_after, OptionalTime(payload.root(), "notAfter"));
  order.id = NewId(request.now(), context.world.random);
  order.account_id = request.account().id;
  order.created_at = request.now();
  order.expires_at = request.now() + context.policy.order_lifetime;
  return order;
}

Result<std::string> ParseCursor(std::string_view query) {
  if (query.empty()) return std::string();
  if (!query.starts_with(kCursor)) return Error{Code::kMalformed, "unknown query"};
  query.remove_prefix(kCursor.size());
  const bool plain = std::all_of(query.begin(), query.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (!plain || query.empty()) return Error{Code::kMalformed, "cursor is malformed"};
  return std::string(query);
}

}  // namespace

Result<OrderView> FindOwnOrder(Context& context, const VerifiedRequest& request) {
  auto view = context.memory.store.FindOrder(request.id(0));
  if (!view.ok() && view.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "there is no such order"};
  }
  if (view.ok() && view->order.account_id != request.account().id) {
    return Error{Code::kUnauthorized, "the order belongs to another account"};
  }
  return view;
}

http::Response OrderResponse(const Context& context, const OrderView& view, Time now) {
  http::Response response;
  response.body = OrderJson(context.links, view, now);
  response.With("Content-Type", "application/json");
  response.With("Location", context.links.Order(view.order.id));
  if (StatusOf(view.order, view.authorizations, now) == OrderStatus::kProcessing) {
    const auto& approval = view.order.approval;
    const bool waits = approval && approval->decision == Decision::kWaiting;
    response.With("Retry-After", std::string(waits ? kApprovalRetryAfter : kProcessingRetryAfter));
  }
  return response;
}

Result<http::Response> HandleNewOrder(Context& context, const VerifiedRequest& request) {
  const std::string& terms = context.policy.terms_of_service;
  if (!terms.empty() && request.account().agreed_terms != terms) {  // §7.3.3
    return Error{Code::kUserActionRequired,
                 "the terms of service have changed; agree to them in a newAccount request", terms};
  }
  NewOrder order;
  AGENTCA_ASSIGN(order.order, ParseOrder(context, request));
  const Account& account = request.account();
  AGENTCA_ASSIGN(const auto agent, AgentOrdered(context, account, order.order.identifiers));
  AGENTCA_TRY(agent ? CheckAgentValidity(context, *agent, order.order, account, request.now())
                    : CheckValidity(context, order.order, account, request.now()));
  AGENTCA_ASSIGN(order.authorizations, MakeAuthorizations(context, order.order, agent, account));
  const size_t names = order.authorizations.size();
  if (const auto wait = context.new_orders.Spend(request.account().id, request.now(), names)) {
    return RateLimitedResponse("too many names in new orders of this account", *wait);
  }
  AGENTCA_ASSIGN(const OrderView view, context.memory.store.CreateOrder(order));
  http::Response response = OrderResponse(context, view, request.now());
  response.status = 201;
  return response;
}

Result<http::Response> HandleOrder(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const OrderView view, FindOwnOrder(context, request));
  return OrderResponse(context, view, request.now());
}

Result<http::Response> HandleOrderList(Context& context, const VerifiedRequest& request) {
  const AccountId& id = request.account().id;
  if (request.id(0) != id) {
    return Error{Code::kUnauthorized, "this is the URL of another account"};
  }
  AGENTCA_ASSIGN(const std::string cursor, ParseCursor(request.http().query));
  AGENTCA_ASSIGN(const OrderPage page,
                 context.memory.store.ListOrders(id, cursor, kOrdersPerPage, request.now()));
  JsonWriter json;
  json.BeginObject().Key("orders").BeginArray();
  for (const OrderId& order : page.orders) json.String(context.links.Order(order));
  json.EndArray().EndObject();

  http::Response response;
  response.body = std::move(json).Take();
  response.With("Content-Type", "application/json");
  if (!page.next.empty()) {
    response.With("Link", "<" + context.links.Orders(id) + "?" + std::string(kCursor) + page.next +
                              ">;rel=\"next\"");
  }
  return response;
}

Result<http::Response> HandleCertificate(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const OrderView view, FindOwnOrder(context, request));
  if (!view.order.certificate) return Error{Code::kNotFound, "the order has no certificate"};
  AGENTCA_ASSIGN(const ca::CertificateRecord record,
                 context.memory.certificates.Find(context.authority.issuance.issuer().id(),
                                                  *view.order.certificate));
  http::Response response;
  response.body = ToPem("CERTIFICATE", record.der);
  for (const std::string& issuer : context.authority.chain_pem) response.body += issuer;
  response.With("Content-Type", "application/pem-certificate-chain");  // §9.1
  return response;
}

}  // namespace agentca::acme
