#include "storage/codec.h"
#include "storage/sql_agents.h"

namespace agentca::storage {
namespace {

using ca::AgentEvent;
using ca::AgentId;
using Events = std::vector<AgentEvent>;

constexpr const char* kAppend =
    "INSERT INTO agent_event (sequence, tenant, name, at, by, what, detail) VALUES "
    "((SELECT coalesce(max(sequence), 0) + 1 FROM agent_event), ?, ?, ?, ?, ?, ?)";
// There for good, and so the same for all.
constexpr const char* kHoldFirst =
    "SELECT sequence FROM agent_event ORDER BY sequence LIMIT 1 /*FOR UPDATE*/";
constexpr const char* kHistory =
    "SELECT sequence, at, by, what, detail FROM agent_event "
    "WHERE tenant = ? AND name = ? AND sequence > ? ORDER BY sequence LIMIT ?";
constexpr const char* kTrustVersion =
    "SELECT coalesce(max(sequence), 0) FROM agent_event WHERE tenant = '' AND name = ''";

Result<Events> LoadEvents(Connection& connection, const AgentId& id, int64_t after, size_t limit) {
  Events events;
  Query row(connection, kHistory, id.tenant, id.name, after, static_cast<int64_t>(limit));
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return events;
    events.push_back({row.Int(0), id, row.At(1), row.Text(2), row.Text(3), row.Text(4)});
    if (!row.intact()) return Damaged("the history of an agent");
  }
}

}  // namespace

Status AwaitTurn(Connection& connection) { return Query(connection, kHoldFirst).Run(); }

Status AppendEvent(Connection& connection, const AgentId& id, const AgentNote& note,
                   const ca::Change& change) {
  AGENTCA_TRY(AwaitTurn(connection));
  return Query(connection, kAppend, id.tenant, id.name, change.at, change.by, note.what,
               note.detail)
      .Run();
}

Result<Events> SqlAgents::AgentHistory(const AgentId& id, int64_t after, size_t limit) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<Events> {
    AGENTCA_TRY(LoadAgent(connection, id));
    return LoadEvents(connection, id, after, limit);
  });
}

Result<Events> SqlAgents::HistoryOfTrust(int64_t after, size_t limit) {
  return database_.Read(
      [&](Connection& connection) { return LoadEvents(connection, {}, after, limit); });
}

Result<int64_t> SqlAgents::TrustVersion() {
  return database_.Read([&](Connection& connection) -> Result<int64_t> {
    Query row(connection, kTrustVersion);
    AGENTCA_ASSIGN(const bool found, row.Next());
    const int64_t version = found ? row.Int(0) : 0;
    if (!found || !row.intact()) return Damaged("the history of trust");
    return version;
  });
}

}  // namespace agentca::storage
