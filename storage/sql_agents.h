// ca::AgentRegistry in SQL. Agents are in sql_agents.cc, rules and sources in
// sql_agents_trust.cc, the history of both in sql_agents_history.cc.
#pragma once

#include "ca/agent_registry.h"
#include "storage/agent_transitions.h"
#include "storage/sql.h"

namespace agentca::storage {

class SqlAgents final : public ca::AgentRegistry {
 public:
  explicit SqlAgents(Database& database) : database_(database) {}

  Result<ca::Agent> AddAgent(const ca::Agent& agent, const ca::Change& change) override;
  Result<ca::Agent> AdmitAgent(const ca::Agent& agent, const ca::Change& change) override;
  Result<ca::Agent> FindAgent(const ca::AgentId& id) override;
  Result<std::vector<ca::Agent>> ListAgents(const ca::AgentFilter& filter) override;
  Result<ca::Agent> ChangeAgent(const ca::Agent& agent, const ca::Change& change) override;
  Result<ca::Agent> SetAgentStatus(const ca::AgentId& id, ca::AgentStatus status,
                                   const std::string& reason, const ca::Change& change) override;
  Status NoteAgentEvent(const ca::AgentId& id, const std::string& what, const std::string& detail,
                        const ca::Change& change) override;
  Result<std::vector<ca::AgentEvent>> AgentHistory(const ca::AgentId& id, int64_t after,
                                                   size_t limit) override;
  Status PutRule(const ca::AdmissionRule& rule, const ca::Change& change) override;
  Status RemoveRule(const std::string& name, const ca::Change& change) override;
  Result<std::vector<ca::AdmissionRule>> ListRules() override;
  Status PutSource(const ca::EvidenceSource& source, const ca::Change& change) override;
  Status RemoveSource(const std::string& name, const ca::Change& change) override;
  Result<std::vector<ca::EvidenceSource>> ListSources() override;
  Result<std::vector<ca::AgentEvent>> HistoryOfTrust(int64_t after, size_t limit) override;
  Result<int64_t> TrustVersion() override;

 private:
  // A change that is committed is acknowledged when all that was allowed before it is to be found.
  Status AwaitGuards(const ca::AgentId& id);

  Database& database_;
};

// ---- For transactions of other stores on the same connection ------------------------------------

Result<ca::Agent> LoadAgent(Connection& connection, const ca::AgentId& id);  // kNotFound
// The same, and nobody is told of a change of the agent before this transaction ends: whoever is
// finds all that was allowed before it.
Result<ca::Agent> LoadAgentForGuard(Connection& connection, const ca::AgentId& id);
// As AgentRegistry::AdmitAgent. Whoever it refuses (kMalformed), it has written nothing.
Result<ca::Agent> AdmitWithin(Connection& connection, const ca::Agent& agent,
                              const ca::Change& change);

// ---- Shared by the files of SqlAgents --------------------------------------------------------

// One at a time appends to the history, or finds out what was appended before, in the order in which
// they came. The transaction must be one of Isolation::kLocks, which sees what came while it waited.
Status AwaitTurn(Connection& connection);
Status AppendEvent(Connection& connection, const ca::AgentId& id, const AgentNote& note,
                   const ca::Change& change);
// kMalformed when one of them is not there.
Status RequireSources(Connection& connection, const std::vector<std::string>& names);

}  // namespace agentca::storage
