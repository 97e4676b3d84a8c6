// The guards of ca::AgentRegistry, decided on values, as storage/transitions.h does for the other
// stores: every backend reads, asks here, and writes what came out, inside one transaction.
#pragma once

#include <string>
#include <vector>

#include "ca/agent_registry.h"

namespace agentca::storage {

// What the history says of a change; sequence, time and person are the backend's to add.
struct AgentNote {
  std::string what;  // "" : nothing changed, there is nothing to write
  std::string detail;
};
struct AgentStep {
  ca::Agent agent;  // as it is from now on
  AgentNote note;
};

inline constexpr int64_t kFirstAgentVersion = 1;
// An agent that is not there yet; `admitted`: by the rule that it names. kMalformed.
Result<AgentStep> StartAgent(const ca::Agent& requested, bool admitted, const ca::Change& change);
// kConflict: `requested` was made from another version, or the agent is retired.
Result<AgentStep> ChangedAgent(const ca::Agent& stored, const ca::Agent& requested,
                               const ca::Change& change);
Result<AgentStep> AgentWithStatus(const ca::Agent& stored, ca::AgentStatus status,
                                  const std::string& reason, const ca::Change& change);

// `previous` is null when there is none. kMalformed.
Result<AgentNote> PutRuleNote(const ca::AdmissionRule* previous, const ca::AdmissionRule& rule);
Result<AgentNote> PutSourceNote(const ca::EvidenceSource* previous,
                                const ca::EvidenceSource& source);
AgentNote RemoveRuleNote(const std::string& name);
AgentNote RemoveSourceNote(const std::string& name);

// The sources that an agent keeps from being removed: each once, none when it is retired.
std::vector<std::string> SourcesOf(const ca::Agent& agent);

// Words of what a cursor names: kMalformed. An empty one comes before all agents.
Result<ca::AgentId> AgentCursor(const std::string& after);

Error NoSuchAgent(const ca::AgentId& id);
Error AgentExists(const ca::AgentId& id);
Error NoSuchRule(const std::string& name);
Error NoSuchSource(const std::string& name);
Error UnknownSource(const std::string& name);  // kMalformed: something refers to it
Error SourceInUse(const std::string& name, const std::string& user);  // "agent acme/web"

}  // namespace agentca::storage
