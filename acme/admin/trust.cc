// Evidence sources and admission rules: whom this CA believes.
#include "acme/admin/agent_json.h"
#include "acme/admin/handlers.h"
#include "acme/admin/strict_json.h"
#include "acme/admin/trust_json.h"

namespace agentca::acme::admin {
namespace {

// The body carries its name, so that a file can be put as it is; it must be that of the path.
template <class T>
Status CheckName(const Call& call, const T& sent) {
  if (sent.name == call.ids.at(0)) return {};
  return Error{Code::kMalformed, "name: is not that of the path"};
}

template <class T>
http::Response ListOf(std::string_view name, const std::vector<T>& items,
                      void (*write)(JsonWriter&, const T&)) {
  JsonWriter json;
  json.BeginObject().Key(name).BeginArray();
  for (const T& item : items) write(json, item);
  json.EndArray().EndObject();
  return JsonResponse(200, std::move(json).Take());
}

template <class T>
http::Response One(const T& item, void (*write)(JsonWriter&, const T&)) {
  JsonWriter json;
  write(json, item);
  return JsonResponse(200, std::move(json).Take());
}

http::Response Gone() {
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace

Result<http::Response> HandleRuleList(Context& context, const Call& call) {
  AGENTCA_TRY(Query::Parse(call.request.query, {}));
  AGENTCA_ASSIGN(const auto rules, context.parts.registry.ListRules());
  return ListOf("rules", rules, &WriteRule);
}

Result<http::Response> HandleRulePut(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const JsonDocument body, call.Body());
  AGENTCA_ASSIGN(const ca::AdmissionRule rule, ReadRule(body.root()));
  AGENTCA_TRY(CheckName(call, rule));
  AGENTCA_TRY(ca::CheckAdmissionRule(rule));
  AGENTCA_TRY(Audited(context, call, "rule-put", rule.name, call.request.body,
                      [&] { return context.parts.registry.PutRule(rule, call.change()); }));
  return One(rule, &WriteRule);
}

Result<http::Response> HandleRuleRemove(Context& context, const Call& call) {
  const std::string& name = call.ids.at(0);
  AGENTCA_TRY(Audited(context, call, "rule-remove", name, "",
                      [&] { return context.parts.registry.RemoveRule(name, call.change()); }));
  return Gone();
}

Result<http::Response> HandleSourceList(Context& context, const Call& call) {
  AGENTCA_TRY(Query::Parse(call.request.query, {}));
  AGENTCA_ASSIGN(const auto sources, context.parts.registry.ListSources());
  return ListOf("sources", sources, &WriteSource);
}

Result<http::Response> HandleSourcePut(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const JsonDocument body, call.Body());
  AGENTCA_ASSIGN(const ca::EvidenceSource source, ReadSource(body.root()));
  AGENTCA_TRY(CheckName(call, source));
  AGENTCA_TRY(ca::CheckEvidenceSource(source));
  if (context.parts.hooks.check_source) AGENTCA_TRY(context.parts.hooks.check_source(source));
  AGENTCA_TRY(Audited(context, call, "source-put", source.name, call.request.body,
                      [&] { return context.parts.registry.PutSource(source, call.change()); }));
  return One(source, &WriteSource);
}

Result<http::Response> HandleSourceRemove(Context& context, const Call& call) {
  const std::string& name = call.ids.at(0);
  AGENTCA_TRY(Audited(context, call, "source-remove", name, "",
                      [&] { return context.parts.registry.RemoveSource(name, call.change()); }));
  return Gone();
}

Result<http::Response> HandleTrustHistory(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query, Query::Parse(call.request.query, {"after", "limit"}));
  AGENTCA_ASSIGN(const int64_t after, query.AfterSequence());
  AGENTCA_ASSIGN(const size_t limit, query.Limit());
  AGENTCA_ASSIGN(auto events, context.parts.registry.HistoryOfTrust(after, limit + 1));
  return EventPage(std::move(events), limit);
}

}  // namespace agentca::acme::admin
