// Looking at what was proven and issued, and at the service itself.
#include "acme/admin/handlers.h"
#include "acme/admin/record_json.h"
#include "acme/admin/strict_json.h"

namespace agentca::acme::admin {
namespace {

constexpr size_t kMaxCounted = 1000;

Result<http::Response> AttestationPage(Context& context, AttestationFilter filter) {
  const size_t limit = filter.limit++;  // one more tells whether there is a next page
  AGENTCA_ASSIGN(auto records, context.parts.memory.store.ListAttestations(filter));
  const bool more = records.size() > limit;
  if (more) records.resize(limit, records.front());
  JsonWriter json;
  json.BeginObject().Key("attestations").BeginArray();
  for (const auto& record : records) WriteAttestation(json, record);
  json.EndArray();
  if (more) json.Member("next", records.back().authorization);
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<ca::AgentId> AgentOf(const Query& query) {
  return Within("agent", ca::ParseAgentId(query.Text("agent")));
}

}  // namespace

Result<http::Response> HandleStatus(Context& context, const Call& call) {
  AGENTCA_TRY(Query::Parse(call.request.query, {}));
  const Parts& parts = context.parts;
  AGENTCA_ASSIGN(const auto waiting, parts.memory.store.ListApprovals(false, "", kMaxCounted));
  AGENTCA_ASSIGN(const int64_t trust, parts.registry.TrustVersion());
  JsonWriter json;
  json.BeginObject()
      .Member("trustDomain", parts.naming.trust_domain())
      .Member("agentsZone", parts.naming.zone())
      .Member("time", ToRfc3339(call.now))
      .Key("caller")
      .BeginObject()
      .Member("role", ToString(call.caller.role))
      .Member("name", call.caller.name)
      .Member("certificate", call.serial)
      .EndObject()
      .Key("trustVersion")
      .Int(trust)
      .Key("waitingApprovals")
      .Int(static_cast<int64_t>(waiting.size()))
      .EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<http::Response> HandleAgentAttestations(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query, Query::Parse(call.request.query, {"after", "limit"}));
  AttestationFilter filter;
  AGENTCA_ASSIGN(filter.agent, call.Agent());
  filter.after = query.Text("after");
  AGENTCA_ASSIGN(filter.limit, query.Limit());
  AGENTCA_TRY(context.parts.registry.FindAgent(*filter.agent));
  return AttestationPage(context, std::move(filter));
}

Result<http::Response> HandleAttestationList(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query, Query::Parse(call.request.query, {"agent", "after", "limit"}));
  AttestationFilter filter;
  if (query.Has("agent")) {
    AGENTCA_ASSIGN(filter.agent, AgentOf(query));
  }
  filter.after = query.Text("after");
  AGENTCA_ASSIGN(filter.limit, query.Limit());
  return AttestationPage(context, std::move(filter));
}

Result<http::Response> HandleCertificateList(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query,
                 Query::Parse(call.request.query, {"agent", "valid", "after", "limit"}));
  AGENTCA_ASSIGN(const ca::AgentId id, AgentOf(query));
  if (query.Has("valid") && query.Text("valid") != "1")
    return Error{Code::kMalformed, "query parameter valid: must be 1, or left out"};
  AGENTCA_ASSIGN(const size_t limit, query.Limit());
  ca::CertificateFilter filter;
  filter.name = context.parts.naming.DnsNameOf(id);
  filter.only_valid = query.Has("valid");
  filter.now = call.now;
  filter.after = query.Text("after");
  filter.limit = limit + 1;
  AGENTCA_ASSIGN(const auto records, context.parts.memory.certificates.List(filter));
  JsonWriter json;
  json.BeginObject().Key("certificates").BeginArray();
  for (size_t i = 0; i < records.size() && i < limit; ++i)
    WriteCertificate(json, records[i], call.now);
  json.EndArray();
  if (records.size() > limit) json.Member("next", records[limit - 1].serial.ToString());
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

}  // namespace agentca::acme::admin
