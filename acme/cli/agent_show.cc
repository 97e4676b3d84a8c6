// agentca agent show: the registration, and what happened to the agent.
#include <iomanip>
#include <iostream>

#include "acme/admin/agent_json.h"
#include "acme/admin/strict_json.h"
#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "acme/cli/description.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonValue;

constexpr size_t kShownAttestations = 5;
constexpr size_t kShownEvents = 20;
constexpr size_t kShownCertificates = 100;

void Line(std::string_view key, std::string_view value) {
  if (!value.empty()) std::cout << std::left << std::setw(14) << key << value << "\n";
}

void PrintAgent(const ca::Agent& agent) {
  Line("Agent", agent.id.ToString());
  Line("Status", ca::ToString(agent.status));
  Line("Purpose", agent.purpose);
  Line("Sponsor", agent.sponsor);
  Line("Deployment", agent.deployment);
  Line("Class", InWords(agent.agent_class));
  Line("Profile", agent.profile);
  Line("Scopes", Joined(agent.scopes));
  for (const auto& rule : agent.evidence) {
    const std::string claims = InWords(rule.claims);
    Line("Evidence", rule.source + (claims.empty() ? "" : ": " + claims));
  }
  for (const auto& component : agent.components)
    Line("Component", std::string(ca::ToString(component.kind)) + " " + component.hash_algorithm +
                          ":" + ToHex(component.digest) + " (" +
                          std::string(ca::ToString(component.basis)) + ")");
  Line("Parent", agent.parent);
  if (agent.max_depth) Line("Max depth", std::to_string(*agent.max_depth));
  Line("Admitted by", agent.admitted_by);
  Line("Version", std::to_string(agent.version));
  Line("Registered", ToRfc3339(agent.created_at));
  Line("Changed", ToRfc3339(agent.changed_at));
}

std::string Text(const JsonValue& object, std::string_view name) {
  const auto text = object.String(name);
  return text.ok() ? *text : "";
}

std::vector<JsonValue> Rows(const JsonDocument& document, std::string_view name) {
  const auto rows = document.root().Find(name);
  return rows ? rows->elements() : std::vector<JsonValue>();
}

void PrintAttestations(const std::vector<JsonValue>& rows) {
  std::cout << "Last attestations:" << (rows.empty() ? " none\n" : "\n");
  for (const JsonValue& row : rows) {
    const auto level = row.OptionalInt("level");
    const auto bound = row.OptionalBool("keyBound");
    std::cout << "  " << Text(row, "verifiedAt") << "  " << Text(row, "format") << " from "
              << Text(row, "source") << ", level "
              << (level.ok() && *level ? std::to_string(**level) : "?")
              << (bound.ok() && bound->value_or(false) ? ", key bound" : "") << "\n";
  }
}

void PrintHistory(const std::vector<ca::AgentEvent>& events) {
  std::cout << "History:\n";
  if (events.size() == kShownEvents) std::cout << "  (earlier events are left out)\n";
  for (const auto& event : events)
    std::cout << "  " << ToRfc3339(event.at) << "  " << std::left << std::setw(10) << event.what
              << "  " << event.by << (event.detail.empty() ? "" : ": ") << event.detail << "\n";
}

void PrintCertificates(const std::vector<JsonValue>& rows) {
  std::cout << "Live certificates:" << (rows.empty() ? " none\n" : "\n");
  for (const JsonValue& row : rows)
    std::cout << "  " << Text(row, "serial") << "  until " << Text(row, "notAfter") << "\n";
}

// The last events; histories are read from their beginning.
Result<std::vector<ca::AgentEvent>> LastEvents(AdminClient& client, const std::string& path) {
  std::vector<ca::AgentEvent> events;
  for (int64_t after = 0;;) {
    AGENTCA_ASSIGN(const JsonDocument page,
                   client.Get(path + "/history?limit=1000&after=" + std::to_string(after)));
    for (const JsonValue& row : Rows(page, "events")) {
      AGENTCA_ASSIGN(ca::AgentEvent event, acme::admin::ReadEvent(row));
      events.push_back(std::move(event));
    }
    if (events.size() > kShownEvents)
      events.erase(events.begin(), events.end() - static_cast<ptrdiff_t>(kShownEvents));
    AGENTCA_ASSIGN(const auto next, page.root().OptionalInt("next"));
    if (!next) return events;
    after = *next;
  }
}

Result<std::string> RowsAsText(const JsonDocument& document, std::string_view name) {
  const auto rows = document.root().Find(name);
  return rows ? acme::admin::JsonText(*rows) : Result<std::string>("[]");
}

Status PrintJson(const std::string& agent, const JsonDocument& attestations,
                 const std::vector<ca::AgentEvent>& events, const JsonDocument& certificates) {
  AGENTCA_ASSIGN(const std::string proofs, RowsAsText(attestations, "attestations"));
  AGENTCA_ASSIGN(const std::string live, RowsAsText(certificates, "certificates"));
  acme::JsonWriter json;
  json.BeginObject().Key("agent").Raw(agent).Key("attestations").Raw(proofs);
  json.Key("history").BeginArray();
  for (const auto& event : events) acme::admin::WriteEvent(json, event);
  json.EndArray().Key("certificates").Raw(live).EndObject();
  std::cout << std::move(json).Take() << "\n";
  return {};
}

}  // namespace

Result<int> RunAgentShow(const Settings& settings) {
  AGENTCA_ASSIGN(const ca::AgentId id, ca::ParseAgentId(settings.positional()));
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  const std::string path = "/agents/" + id.ToString();
  AGENTCA_ASSIGN(const auto reply, client.Call("GET", path));
  AGENTCA_ASSIGN(const JsonDocument attestations,
                 client.Get(path + "/attestations?limit=" + std::to_string(kShownAttestations)));
  AGENTCA_ASSIGN(const auto events, LastEvents(client, path));
  AGENTCA_ASSIGN(const JsonDocument certificates,
                 client.Get("/certificates?valid=1&limit=" + std::to_string(kShownCertificates) +
                            "&agent=" + PercentEncoded(id.ToString())));
  if (settings.Flag("json")) {
    AGENTCA_TRY(PrintJson(reply.body, attestations, events, certificates));
    return kExitSuccess;
  }
  AGENTCA_ASSIGN(const JsonDocument document, reply.Json());
  AGENTCA_ASSIGN(const ca::Agent agent, acme::admin::ReadAgent(document.root()));
  PrintAgent(agent);
  PrintAttestations(Rows(attestations, "attestations"));
  PrintHistory(events);
  PrintCertificates(Rows(certificates, "certificates"));
  return kExitSuccess;
}

}  // namespace agentca::cli
