// Suspend, resume, retire, revoke: of one agent, a tenant, or those whose name fits a pattern. The
// status changes first, so that nothing new is issued; then every live certificate is revoked, each
// by itself. What failed is reported and nothing is undone: the same request again finishes it.
#include <set>

#include "acme/admin/agent_json.h"
#include "acme/admin/handlers.h"
#include "acme/admin/strict_json.h"
#include "acme/problem.h"

namespace agentca::acme::admin {
namespace {

constexpr size_t kCertificatePage = 200;
constexpr int kMaxPasses = 3;
constexpr int64_t kMaxAgents = 1000;  // of one request
constexpr int kMultiStatus = 207;

Error Bad(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// What shall happen to an agent.
struct Ending {
  std::string event;                      // in the audit log
  std::optional<ca::AgentStatus> status;  // absent: stays
  std::string reason;
  bool revoke = false;
  ca::Reason revocation_reason = ca::Reason::kUnspecified;
};

struct Failure {
  std::string serial;  // "" : the list of certificates could not be read
  std::string detail;
};
struct Revocations {
  std::vector<std::string> revoked;  // serials
  std::vector<Failure> failures;
};

// RFC 5280 §5.3.1: a hold is not final, and removal belongs to delta CRLs; this CA has neither.
Result<ca::Reason> ReadRevocationReason(const JsonValue& body, ca::Reason usual) {
  AGENTCA_ASSIGN(const auto text, body.OptionalString("revocationReason"));
  if (!text) return usual;
  const auto reason = ca::ReasonFromString(*text);
  if (!reason.ok() || *reason == ca::Reason::kCertificateHold ||
      *reason == ca::Reason::kRemoveFromCrl)
    return Bad("member \"revocationReason\" is not the name of a reason to revoke");
  return *reason;
}

std::string Told(const Context& context, const Error& error) {
  return Disclose(error, context.parts.world.random).detail;
}

// Revokes what is live and was not tried yet. False: there was nothing.
bool RevokePass(Context& context, const Call& call, const Ending& ending, const std::string& name,
                std::set<ca::Serial>& tried, Revocations& out) {
  ca::CertificateFilter filter;
  filter.name = name;
  filter.only_valid = true;
  filter.now = call.now;
  filter.limit = kCertificatePage;
  bool found = false;
  for (bool more = true; more;) {
    const auto page = context.parts.memory.certificates.List(filter);
    if (!page.ok()) {
      out.failures.push_back({"", Told(context, page.error())});
      return false;
    }
    for (const auto& record : *page) {
      filter.after = record.serial.ToString();
      if (!tried.insert(record.serial).second) continue;
      found = true;
      const Status revoked = context.parts.certification.revoker.Revoke(
          record.issuer_id, record.serial, ending.revocation_reason, call.caller.ToString(),
          call.now);
      if (revoked.ok())
        out.revoked.push_back(record.serial.ToString());
      else if (revoked.error().code != Code::kAlreadyRevoked)  // somebody was faster
        out.failures.push_back({record.serial.ToString(), Told(context, revoked.error())});
    }
    more = page->size() == kCertificatePage;
  }
  return found;
}

// Looks again until a look finds nothing new: an order may have been finalized meanwhile.
Revocations RevokeLive(Context& context, const Call& call, const Ending& ending,
                       const ca::AgentId& id) {
  Revocations out;
  std::set<ca::Serial> tried;
  const std::string name = context.parts.naming.DnsNameOf(id);
  for (int pass = 0; pass < kMaxPasses; ++pass)
    if (!RevokePass(context, call, ending, name, tried, out)) break;
  if (!out.revoked.empty() && context.parts.hooks.on_revoked) context.parts.hooks.on_revoked();
  return out;
}

struct Ended {
  ca::Agent agent;
  Revocations revocations;
};

Result<Ended> End(Context& context, const Call& call, const Ending& ending, const ca::AgentId& id) {
  ca::AgentRegistry& registry = context.parts.registry;
  AGENTCA_ASSIGN(ca::Agent agent, registry.FindAgent(id));
  AGENTCA_ASSIGN(agent, Audited(context, call, ending.event, id.ToString(), ending.reason,
                                [&]() -> Result<ca::Agent> {
                                  if (!ending.status) return agent;
                                  return registry.SetAgentStatus(id, *ending.status, ending.reason,
                                                                 call.change());
                                }));
  Ended out{std::move(agent), {}};
  if (ending.revoke) out.revocations = RevokeLive(context, call, ending, id);
  return out;
}

void WriteRevocations(JsonWriter& json, const Revocations& revocations) {
  json.Key("revoked").BeginArray();
  for (const auto& serial : revocations.revoked) json.String(serial);
  json.EndArray();
  if (revocations.failures.empty()) return;
  json.Key("errors").BeginArray();
  for (const auto& failure : revocations.failures) {
    json.BeginObject();
    if (!failure.serial.empty()) json.Member("serial", failure.serial);
    json.Member("detail", failure.detail).EndObject();
  }
  json.EndArray();
}

Result<http::Response> EndOne(Context& context, const Call& call, Ending ending,
                              ca::Reason usual_reason) {
  AGENTCA_ASSIGN(const ca::AgentId id, call.Agent());
  AGENTCA_ASSIGN(const JsonDocument document, call.Body());
  const JsonValue body = document.root();
  const bool optional = ending.status && *ending.status != ca::AgentStatus::kActive;
  AGENTCA_TRY(optional        ? CheckMembers(body, {"reason", "revoke", "revocationReason"})
              : ending.revoke ? CheckMembers(body, {"reason", "revocationReason"})
                              : CheckMembers(body, {"reason"}));
  AGENTCA_ASSIGN(ending.reason, ReadReason(body));
  if (optional) {
    AGENTCA_ASSIGN(const auto revoke, body.OptionalBool("revoke"));
    ending.revoke = revoke.value_or(true);
  }
  AGENTCA_ASSIGN(ending.revocation_reason, ReadRevocationReason(body, usual_reason));
  AGENTCA_ASSIGN(const Ended ended, End(context, call, ending, id));
  JsonWriter json;
  json.BeginObject().Key("agent");
  WriteAgent(json, ended.agent);
  WriteRevocations(json, ended.revocations);
  json.EndObject();
  return JsonResponse(ended.revocations.failures.empty() ? 200 : kMultiStatus,
                      std::move(json).Take());
}

// ---- Many -----------------------------------------------------------------------------------

struct Selection {
  ca::AgentFilter filter;  // of one tenant
  ca::ClaimMatcher name;   // a pattern as of claims: whole, or a prefix and "*"
  size_t limit = 0;        // agents of one request
};

bool Fits(const Selection& selection, const ca::Agent& agent) {
  return selection.name.pattern.empty() ||
         selection.name.Matches({{selection.name.claim, {agent.id.name}}});
}

Result<Selection> ReadSelection(const JsonValue& body) {
  Selection selection;
  AGENTCA_ASSIGN(selection.filter.tenant, body.String("tenant"));
  if (!ca::IsAgentLabel(*selection.filter.tenant))
    return Bad("member \"tenant\" is not the name of a tenant");
  AGENTCA_ASSIGN(selection.name.pattern, TextOrNone(body, "name"));
  selection.name.claim = "name";
  AGENTCA_ASSIGN(selection.filter.after, TextOrNone(body, "after"));
  AGENTCA_ASSIGN(const auto limit, body.OptionalInt("limit"));
  if (limit && (*limit < 1 || *limit > kMaxAgents))
    return Bad("member \"limit\" must be from 1 to " + std::to_string(kMaxAgents));
  selection.limit = static_cast<size_t>(limit.value_or(100));
  selection.filter.limit = selection.limit;
  return selection;
}

Result<Ending> ReadEnding(const JsonValue& body) {
  Ending ending{.event = "agent-revoke", .status = {}, .reason = {}, .revoke = true};
  AGENTCA_ASSIGN(const auto suspend, body.OptionalBool("suspend"));
  AGENTCA_ASSIGN(const auto retire, body.OptionalBool("retire"));
  if (suspend.value_or(false) && retire.value_or(false))
    return Bad("members \"suspend\" and \"retire\" exclude each other");
  ca::Reason usual = ca::Reason::kUnspecified;
  if (suspend.value_or(false)) {
    ending.event = "agent-suspend";
    ending.status = ca::AgentStatus::kSuspended;
    usual = ca::Reason::kPrivilegeWithdrawn;
  } else if (retire.value_or(false)) {
    ending.event = "agent-retire";
    ending.status = ca::AgentStatus::kRetired;
    usual = ca::Reason::kCessationOfOperation;
  }
  AGENTCA_ASSIGN(ending.reason, ReadReason(body));
  AGENTCA_ASSIGN(ending.revocation_reason, ReadRevocationReason(body, usual));
  return ending;
}

// A retired agent stays retired; its certificates go all the same.
Ending FittingTo(const ca::Agent& agent, Ending ending) {
  if (agent.status == ca::AgentStatus::kRetired) ending.status.reset();
  return ending;
}

// Writes what became of one agent; false when something failed.
bool EndAndReport(Context& context, const Call& call, const Ending& ending, const ca::Agent& agent,
                  JsonWriter& json) {
  const auto ended = End(context, call, FittingTo(agent, ending), agent.id);
  json.BeginObject().Member("agent", agent.id.ToString());
  if (!ended.ok()) {
    json.Member("status", ca::ToString(agent.status));
    WriteRevocations(json, {{}, {{"", Told(context, ended.error())}}});
    json.EndObject();
    return false;
  }
  json.Member("status", ca::ToString(ended->agent.status));
  WriteRevocations(json, ended->revocations);
  json.EndObject();
  return ended->revocations.failures.empty();
}

}  // namespace

Result<http::Response> HandleAgentSuspend(Context& context, const Call& call) {
  return EndOne(context, call,
                {.event = "agent-suspend", .status = ca::AgentStatus::kSuspended, .reason = {}},
                ca::Reason::kPrivilegeWithdrawn);
}

Result<http::Response> HandleAgentResume(Context& context, const Call& call) {
  return EndOne(context, call,
                {.event = "agent-resume", .status = ca::AgentStatus::kActive, .reason = {}},
                ca::Reason::kUnspecified);
}

Result<http::Response> HandleAgentRetire(Context& context, const Call& call) {
  return EndOne(context, call,
                {.event = "agent-retire", .status = ca::AgentStatus::kRetired, .reason = {}},
                ca::Reason::kCessationOfOperation);
}

Result<http::Response> HandleAgentRevoke(Context& context, const Call& call) {
  return EndOne(context, call,
                {.event = "agent-revoke", .status = {}, .reason = {}, .revoke = true},
                ca::Reason::kUnspecified);
}

Result<http::Response> HandleManyRevoke(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const JsonDocument document, call.Body());
  const JsonValue body = document.root();
  AGENTCA_TRY(CheckMembers(body, {"tenant", "name", "suspend", "retire", "reason",
                                  "revocationReason", "after", "limit"}));
  AGENTCA_ASSIGN(Selection selection, ReadSelection(body));
  AGENTCA_ASSIGN(const Ending ending, ReadEnding(body));
  bool complete = true, more = true;
  size_t ended = 0;
  JsonWriter json;
  json.BeginObject().Key("agents").BeginArray();
  while (more && ended < selection.limit) {
    AGENTCA_ASSIGN(const auto page, context.parts.registry.ListAgents(selection.filter));
    more = page.size() == selection.filter.limit;
    for (const auto& agent : page) {
      if (ended == selection.limit) {
        more = true;
        break;
      }
      selection.filter.after = agent.id.ToString();
      if (!Fits(selection, agent)) continue;
      complete = EndAndReport(context, call, ending, agent, json) && complete;
      ++ended;
    }
  }
  json.EndArray();
  if (more) json.Member("next", selection.filter.after);
  json.EndObject();
  return JsonResponse(complete ? 200 : kMultiStatus, std::move(json).Take());
}

}  // namespace agentca::acme::admin
