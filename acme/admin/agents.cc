// Registering agents and looking at them.
#include <charconv>

#include "acme/admin/agent_json.h"
#include "acme/admin/handlers.h"
#include "acme/admin/strict_json.h"

namespace agentca::acme::admin {
namespace {

Error Bad(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// RFC 9110 §8.8.3: the version of a registration as a strong entity tag.
std::string TagOf(const ca::Agent& agent) { return "\"" + std::to_string(agent.version) + "\""; }

http::Response AgentResponse(int status, const ca::Agent& agent) {
  JsonWriter json;
  WriteAgent(json, agent);
  return JsonResponse(status, std::move(json).Take()).With("ETag", TagOf(agent));
}

// What only another verb, or nobody, may change. A body that was read from here may hold them, as
// they are.
Status CheckRecord(const ca::Agent& sent, const ca::Agent& stored) {
  if (sent.status != stored.status)
    return Bad("status: is changed by suspend, resume and retire alone");
  if (sent.admitted_by != stored.admitted_by) return Bad("admittedBy: cannot be changed");
  for (const ca::Component& component : sent.components)
    if (component.basis != ca::Basis::kDeclared)
      return Bad("components: what an administrator registers is \"declared\"");
  return {};
}

// RFC 9110 §13.1.1: If-Match, or the version that the body carries. One of them must be there: who
// has not seen the present state cannot mean to replace it.
Result<int64_t> ExpectedVersion(const Call& call, const ca::Agent& sent) {
  const std::string_view tag = call.request.Header("If-Match");
  if (tag.empty()) {
    if (sent.version > 0) return sent.version;
    return Bad("version: say which version you change, by \"version\" or If-Match");
  }
  int64_t version = 0;
  const std::string_view digits = tag.size() > 2 ? tag.substr(1, tag.size() - 2) : "";
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (tag.front() != '"' || tag.back() != '"' || error != std::errc() ||
      end != digits.data() + digits.size())
    return Bad("If-Match: must be the ETag that a GET gave");
  if (sent.version != 0 && sent.version != version)
    return Bad("version: If-Match and the body name different versions");
  return version;
}

Result<ca::AgentFilter> ReadFilter(const Query& query) {
  ca::AgentFilter filter;
  if (query.Has("tenant")) filter.tenant = query.Text("tenant");
  if (query.Has("status")) {
    AGENTCA_ASSIGN(filter.status,
                   Within("status", ca::AgentStatusFromString(query.Text("status"))));
  }
  filter.after = query.Text("after");
  AGENTCA_ASSIGN(filter.limit, query.Limit());
  return filter;
}

}  // namespace

Result<http::Response> HandleAgentList(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query,
                 Query::Parse(call.request.query, {"tenant", "status", "after", "limit"}));
  AGENTCA_ASSIGN(ca::AgentFilter filter, ReadFilter(query));
  const size_t limit = filter.limit++;  // one more tells whether there is a next page
  AGENTCA_ASSIGN(auto agents, context.parts.registry.ListAgents(filter));
  const bool more = agents.size() > limit;
  if (more) agents.resize(limit);
  JsonWriter json;
  json.BeginObject().Key("agents").BeginArray();
  for (const auto& agent : agents) WriteAgent(json, agent);
  json.EndArray();
  if (more) json.Member("next", agents.back().id.ToString());
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<http::Response> HandleAgentAdd(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const JsonDocument body, call.Body());
  AGENTCA_ASSIGN(ca::Agent agent, ReadAgent(body.root()));
  AGENTCA_TRY(CheckRecord(agent, ca::Agent{}));
  if (agent.version != 0) return Bad("version: a new agent has none");
  AGENTCA_TRY(ca::CheckAgent(agent));
  const std::string id = agent.id.ToString();
  AGENTCA_ASSIGN(const ca::Agent added,
                 Audited(context, call, "agent-add", id, call.request.body,
                         [&] { return context.parts.registry.AddAgent(agent, call.change()); }));
  return AgentResponse(201, added).With("Location", "/admin/v1/agents/" + id);
}

Result<http::Response> HandleAgent(Context& context, const Call& call) {
  AGENTCA_TRY(Query::Parse(call.request.query, {}));
  AGENTCA_ASSIGN(const ca::AgentId id, call.Agent());
  AGENTCA_ASSIGN(const ca::Agent agent, context.parts.registry.FindAgent(id));
  return AgentResponse(200, agent);
}

Result<http::Response> HandleAgentChange(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const ca::AgentId id, call.Agent());
  AGENTCA_ASSIGN(const JsonDocument body, call.Body());
  AGENTCA_ASSIGN(ca::Agent agent, ReadAgent(body.root()));
  if (agent.id != id) return Bad("tenant, name: are not those of the path");
  AGENTCA_ASSIGN(agent.version, ExpectedVersion(call, agent));
  AGENTCA_ASSIGN(const ca::Agent stored, context.parts.registry.FindAgent(id));
  if (stored.version != agent.version)
    return Error{Code::kConflict, "agent " + id.ToString() + " has version " +
                                      std::to_string(stored.version) + " by now; read it again"};
  AGENTCA_TRY(CheckRecord(agent, stored));
  AGENTCA_TRY(ca::CheckAgent(agent));
  AGENTCA_ASSIGN(const ca::Agent changed,
                 Audited(context, call, "agent-change", id.ToString(), call.request.body,
                         [&] { return context.parts.registry.ChangeAgent(agent, call.change()); }));
  return AgentResponse(200, changed);
}

Result<http::Response> HandleAgentHistory(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const ca::AgentId id, call.Agent());
  AGENTCA_ASSIGN(const Query query, Query::Parse(call.request.query, {"after", "limit"}));
  AGENTCA_ASSIGN(const int64_t after, query.AfterSequence());
  AGENTCA_ASSIGN(const size_t limit, query.Limit());
  AGENTCA_TRY(context.parts.registry.FindAgent(id));
  AGENTCA_ASSIGN(auto events, context.parts.registry.AgentHistory(id, after, limit + 1));
  return EventPage(std::move(events), limit);
}

}  // namespace agentca::acme::admin
