#include "storage/sql_agents.h"

#include "storage/agent_codec.h"
#include "storage/codec.h"

namespace agentca::storage {

using ca::Agent;
using ca::AgentId;
using ca::AgentStatus;
using ca::Change;

namespace {

constexpr const char* kFind = "SELECT * FROM agent WHERE tenant = ? AND name = ?";
constexpr const char* kFindForGuard =
    "SELECT * FROM agent WHERE tenant = ? AND name = ? /*FOR KEY SHARE*/";
constexpr const char* kFindForChange =
    "SELECT * FROM agent WHERE tenant = ? AND name = ? /*FOR NO KEY UPDATE*/";
constexpr const char* kAwaitGuards =
    "SELECT 1 FROM agent WHERE tenant = ? AND name = ? /*FOR UPDATE*/";
constexpr const char* kExists = "SELECT 1 FROM agent WHERE tenant = ? AND name = ?";
constexpr const char* kAdd =
    "INSERT INTO agent (tenant, name, status, admitted_by, version, created_at, changed_at, "
    "registration) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kChange =
    "UPDATE agent SET status = ?, version = ?, changed_at = ?, registration = ? "
    "WHERE tenant = ? AND name = ?";
constexpr const char* kForgetSources = "DELETE FROM agent_source WHERE tenant = ? AND name = ?";
constexpr const char* kNeedSource =
    "INSERT INTO agent_source (source, tenant, name) VALUES (?, ?, ?)";
constexpr const char* kIsNoted =
    "SELECT 1 FROM agent_event WHERE tenant = ? AND name = ? AND at = ? AND by = ? AND what = ? "
    "AND detail = ?";

constexpr const char* kList =
    "SELECT * FROM agent WHERE (tenant, name) > (?, ?) ORDER BY tenant, name LIMIT ?";
constexpr const char* kListStatus =
    "SELECT * FROM agent WHERE status = ? AND (tenant, name) > (?, ?) "
    "ORDER BY tenant, name LIMIT ?";
// With a tenant, the name alone is the cursor.
constexpr const char* kListTenant =
    "SELECT * FROM agent WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?";
constexpr const char* kListTenantAndStatus =
    "SELECT * FROM agent WHERE status = ? AND tenant = ? AND name > ? ORDER BY name LIMIT ?";

// Columns of the table agent.
enum Column : int {
  kTenant,
  kName,
  kStatus,
  kAdmittedBy,
  kVersion,
  kCreatedAt,
  kChangedAt,
  kRegistration
};

Result<Agent> Read(Query& row) {
  Agent agent;
  agent.id = {row.Text(kTenant), row.Text(kName)};
  const int64_t status = row.Int(kStatus);
  if (status < 0 || status > static_cast<int64_t>(AgentStatus::kRetired))
    return Damaged("an agent");
  agent.status = static_cast<AgentStatus>(status);
  agent.admitted_by = row.Text(kAdmittedBy);
  agent.version = row.Int(kVersion);
  agent.created_at = row.At(kCreatedAt);
  agent.changed_at = row.At(kChangedAt);
  AGENTCA_TRY(RegistrationFromJson(row.Text(kRegistration), agent));
  if (!row.intact()) return Damaged("an agent");
  return agent;
}

Result<Agent> Load(Connection& connection, const char* sql, const AgentId& id) {
  Query row(connection, sql, id.tenant, id.name);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchAgent(id);
  return Read(row);
}

Result<bool> Exists(Connection& connection, const AgentId& id) {
  return Query(connection, kExists, id.tenant, id.name).Next();
}

Status NoteSources(Connection& connection, const Agent& agent,
                   const std::vector<std::string>& sources) {
  AGENTCA_TRY(Query(connection, kForgetSources, agent.id.tenant, agent.id.name).Run());
  for (const std::string& each : sources) {
    AGENTCA_TRY(Query(connection, kNeedSource, each, agent.id.tenant, agent.id.name).Run());
  }
  return {};
}

// One that was there meanwhile is a conflict, which the driver resolves by running the verb again.
Status Save(Connection& connection, const Agent& agent, bool is_new) {
  const auto status = static_cast<int>(agent.status);
  if (is_new)
    return Query(connection, kAdd, agent.id.tenant, agent.id.name, status, agent.admitted_by,
                 agent.version, agent.created_at, agent.changed_at, RegistrationToJson(agent))
        .Run();
  return Query(connection, kChange, status, agent.version, agent.changed_at,
               RegistrationToJson(agent), agent.id.tenant, agent.id.name)
      .Run();
}

Result<Agent> Keep(Connection& connection, Result<AgentStep> step, const Change& change) {
  if (!step.ok()) return step.error();
  const Agent& agent = step->agent;
  if (step->note.what.empty()) return agent;
  const std::vector<std::string> sources = SourcesOf(agent);
  AGENTCA_TRY(RequireSources(connection, sources));  // before anything is written: see AdmitWithin
  AGENTCA_TRY(Save(connection, agent, agent.version == kFirstAgentVersion));
  AGENTCA_TRY(NoteSources(connection, agent, sources));
  AGENTCA_TRY(AppendEvent(connection, agent.id, step->note, change));
  return agent;
}

Result<std::vector<Agent>> ReadAll(Query& row) {
  std::vector<Agent> agents;
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return agents;
    AGENTCA_ASSIGN(Agent agent, Read(row));
    agents.push_back(std::move(agent));
  }
}

Result<std::vector<Agent>> ListTenant(Connection& connection, const AgentId& after,
                                      const ca::AgentFilter& filter) {
  const std::string& tenant = *filter.tenant;
  if (after.tenant > tenant) return std::vector<Agent>();
  Query row(connection, filter.status ? kListTenantAndStatus : kListTenant);
  if (filter.status) row.Bind(static_cast<int>(*filter.status));
  row.Bind(tenant).Bind(after.tenant == tenant ? after.name : "");
  return ReadAll(row.Bind(static_cast<int64_t>(filter.limit)));
}

Result<std::vector<Agent>> List(Connection& connection, const AgentId& after,
                                const ca::AgentFilter& filter) {
  Query row(connection, filter.status ? kListStatus : kList);
  if (filter.status) row.Bind(static_cast<int>(*filter.status));
  row.Bind(after.tenant).Bind(after.name);
  return ReadAll(row.Bind(static_cast<int64_t>(filter.limit)));
}

Result<bool> IsStored(Connection& connection, const Agent& agent) {
  const auto stored = LoadAgent(connection, agent.id);
  if (stored.ok()) {
    return stored->version == agent.version && stored->status == agent.status &&
           stored->changed_at == agent.changed_at &&
           RegistrationToJson(*stored) == RegistrationToJson(agent);
  }
  if (stored.error().code == Code::kNotFound) return false;
  return stored.error();
}

}  // namespace

Result<Agent> LoadAgent(Connection& connection, const AgentId& id) {
  return Load(connection, kFind, id);
}

Result<Agent> LoadAgentForGuard(Connection& connection, const AgentId& id) {
  return Load(connection, kFindForGuard, id);
}

Result<Agent> AdmitWithin(Connection& connection, const Agent& agent, const Change& change) {
  AGENTCA_ASSIGN(const bool exists, Exists(connection, agent.id));
  if (exists) return LoadAgentForGuard(connection, agent.id);
  return Keep(connection, StartAgent(agent, true, change), change);
}

Result<Agent> SqlAgents::AddAgent(const Agent& agent, const Change& change) {
  AGENTCA_ASSIGN(const AgentStep step, StartAgent(agent, false, change));
  const auto add = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const bool exists, Exists(connection, agent.id));
    if (exists) return AgentExists(agent.id);
    AGENTCA_TRY(Keep(connection, step, change));
    return {};
  };
  AGENTCA_TRY(database_.Write(
      add, [&](Connection& connection) { return IsStored(connection, step.agent); },
      Isolation::kLocks));
  return step.agent;
}

Result<Agent> SqlAgents::AdmitAgent(const Agent& agent, const Change& change) {
  return database_.Write(
      [&](Connection& connection) { return AdmitWithin(connection, agent, change); },
      Isolation::kLocks);
}

Result<Agent> SqlAgents::FindAgent(const AgentId& id) {
  return database_.Read([&](Connection& connection) { return LoadAgent(connection, id); });
}

Result<std::vector<Agent>> SqlAgents::ListAgents(const ca::AgentFilter& filter) {
  AGENTCA_ASSIGN(const AgentId after, AgentCursor(filter.after));
  return database_.Read([&](Connection& connection) {
    return filter.tenant ? ListTenant(connection, after, filter) : List(connection, after, filter);
  });
}

Result<Agent> SqlAgents::ChangeAgent(const Agent& agent, const Change& change) {
  Agent changed;  // an attempt of unknown fate leaves here what it may have stored
  const auto store = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const Agent stored, Load(connection, kFindForChange, agent.id));
    AGENTCA_ASSIGN(changed, Keep(connection, ChangedAgent(stored, agent, change), change));
    return {};
  };
  AGENTCA_TRY(database_.Write(
      store, [&](Connection& connection) { return IsStored(connection, changed); },
      Isolation::kLocks));
  AGENTCA_TRY(AwaitGuards(agent.id));
  return changed;
}

Result<Agent> SqlAgents::SetAgentStatus(const AgentId& id, AgentStatus status,
                                           const std::string& reason, const Change& change) {
  const auto set = [&](Connection& connection) -> Result<Agent> {
    AGENTCA_ASSIGN(const Agent stored, Load(connection, kFindForChange, id));
    return Keep(connection, AgentWithStatus(stored, status, reason, change), change);
  };
  AGENTCA_ASSIGN(Agent agent, database_.Write(set, Isolation::kLocks));
  AGENTCA_TRY(AwaitGuards(id));
  return agent;
}

// Those who hold the agent as it was do not wait for each other, so that with many of them one might
// wait for ever; but whoever comes now finds the change.
Status SqlAgents::AwaitGuards(const AgentId& id) {
  return database_.Write(
      [&](Connection& connection) {
        return Query(connection, kAwaitGuards, id.tenant, id.name).Run();
      },
      Isolation::kLocks);
}

// An attempt of unknown fate that is still to commit holds the turn, so that the one after it waits
// and then finds what it left.
Status SqlAgents::NoteAgentEvent(const AgentId& id, const std::string& what,
                                    const std::string& detail, const Change& change) {
  const auto note = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const bool exists, Exists(connection, id));
    if (!exists) return NoSuchAgent(id);
    AGENTCA_TRY(AwaitTurn(connection));
    Query same(connection, kIsNoted, id.tenant, id.name, change.at, change.by, what, detail);
    AGENTCA_ASSIGN(const bool noted, same.Next());
    return noted ? Status() : AppendEvent(connection, id, {what, detail}, change);
  };
  return database_.Write(note, Isolation::kLocks);
}

}  // namespace agentca::storage
