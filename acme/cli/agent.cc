// agentca agent add, change, list.
#include <iomanip>
#include <iostream>

#include "acme/admin/agent_json.h"
#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/cli/description.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonWriter;

Result<ca::AgentId> NamedAgent(const Settings& settings) {
  auto id = ca::ParseAgentId(settings.positional());
  if (!id.ok()) return Error{Code::kMalformed, "TENANT/NAME: " + id.error().detail};
  return id;
}

std::string PathOf(const ca::AgentId& id) { return "/agents/" + id.ToString(); }

std::string TextOf(const ca::Agent& agent) {
  JsonWriter json;
  acme::admin::WriteAgent(json, agent);
  return std::move(json).Take();
}

// The agent of --file, as far as an administrator says it.
Result<ca::Agent> AgentFromFile(const Settings& settings, const ca::AgentId& id) {
  AGENTCA_ASSIGN(const JsonDocument document, ReadJsonFile(settings));
  auto read = acme::admin::ReadAgent(document.root());
  if (!read.ok()) return settings.Bad("file", read.error().detail);
  if (read->id != id) return settings.Bad("file", "is of agent " + read->id.ToString());
  return read;
}

Result<ca::Agent> AgentOf(const AdminClient::Reply& reply) {
  AGENTCA_ASSIGN(const JsonDocument document, reply.Json());
  return acme::admin::ReadAgent(document.root());
}

Result<int> Report(const Settings& settings, const AdminClient::Reply& reply,
                   std::string_view what) {
  if (settings.Flag("json")) {
    std::cout << reply.body << "\n";
    return kExitSuccess;
  }
  AGENTCA_ASSIGN(const ca::Agent agent, AgentOf(reply));
  std::cout << what << " agent " << agent.id.ToString() << " (version " << agent.version << ").\n";
  return kExitSuccess;
}

void PrintRow(const ca::Agent& agent) {
  std::cout << std::left << std::setw(32) << agent.id.ToString() << "  " << std::setw(9)
            << ca::ToString(agent.status) << "  " << std::setw(52) << InWords(agent.agent_class)
            << "  " << agent.sponsor << "\n";
}

}  // namespace

Result<int> RunAgentAdd(const Settings& settings) {
  AGENTCA_ASSIGN(const ca::AgentId id, NamedAgent(settings));
  ca::Agent agent;
  if (settings.Given("file")) {
    AGENTCA_ASSIGN(agent, AgentFromFile(settings, id));
    agent.status = ca::AgentStatus::kActive;
    agent.admitted_by.clear();
    agent.version = 0;
  }
  agent.id = id;
  AGENTCA_TRY(DescribeAgent(settings, agent));
  if (agent.sponsor.empty()) return Error{Code::kMalformed, "--sponsor is required"};
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  AGENTCA_ASSIGN(const auto reply, client.Call("POST", "/agents", TextOf(agent)));
  return Report(settings, reply, "Registered");
}

// What is not said stays as it is. Somebody else's change in between makes ours fail.
Result<int> RunAgentChange(const Settings& settings) {
  AGENTCA_ASSIGN(const ca::AgentId id, NamedAgent(settings));
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  AGENTCA_ASSIGN(const auto present, client.Call("GET", PathOf(id)));
  AGENTCA_ASSIGN(ca::Agent agent, AgentOf(present));
  if (settings.Given("file")) {
    const ca::Agent stored = agent;
    AGENTCA_ASSIGN(agent, AgentFromFile(settings, id));
    if (agent.version == 0) agent.version = stored.version;
    agent.status = stored.status;
    agent.admitted_by = stored.admitted_by;
  }
  AGENTCA_TRY(DescribeAgent(settings, agent));
  AGENTCA_ASSIGN(const auto reply, client.Call("PUT", PathOf(id), TextOf(agent)));
  return Report(settings, reply, "Changed");
}

Result<int> RunAgentList(const Settings& settings) {
  const auto limit = ParseCount(settings.Text("limit"), 1, 1'000'000);
  if (!limit.ok()) return settings.Bad("limit", limit.error().detail);
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  std::string filter;
  for (const char* name : {"tenant", "status"})
    if (settings.Given(name))
      filter += "&" + std::string(name) + "=" + PercentEncoded(settings.Text(name));
  JsonWriter json;
  json.BeginArray();
  std::string after;
  for (size_t left = *limit; left > 0;) {
    const size_t page = std::min<size_t>(left, 1000);
    AGENTCA_ASSIGN(const JsonDocument document,
                   client.Get("/agents?limit=" + std::to_string(page) +
                              "&after=" + PercentEncoded(after) + filter));
    const auto rows = document.root().Find("agents");
    if (!rows) return Error{Code::kInternal, "the server's list has no agents"};
    for (const auto& row : rows->elements()) {
      AGENTCA_ASSIGN(const ca::Agent agent, acme::admin::ReadAgent(row));
      if (settings.Flag("json"))
        acme::admin::WriteAgent(json, agent);
      else
        PrintRow(agent);
      --left;
    }
    const auto next = document.root().String("next");
    if (!next.ok()) break;
    after = *next;
  }
  json.EndArray();
  if (settings.Flag("json")) std::cout << std::move(json).Take() << "\n";
  return kExitSuccess;
}

}  // namespace agentca::cli
