#include "storage/agent_transitions.h"

#include <algorithm>

#include "storage/agent_words.h"

namespace agentca::storage {

using ca::Agent;
using ca::AgentStatus;

namespace {

Error Conflict(std::string detail) { return {Code::kConflict, std::move(detail)}; }

void Touch(Agent& agent, const ca::Change& change) {
  ++agent.version;
  agent.changed_at = change.at;
}

// All of it differs from nothing: the history begins with what the agent was.
std::string AllOf(const Agent& agent) {
  Agent nothing;
  nothing.agent_class = agent.agent_class;
  return "class " + InWords(agent.agent_class) + "; " + Difference(nothing, agent);
}

}  // namespace

Result<AgentStep> StartAgent(const Agent& requested, bool admitted, const ca::Change& change) {
  AGENTCA_TRY(ca::CheckAgent(requested));
  AgentStep step{requested, {admitted ? "admitted" : "added", AllOf(requested)}};
  if (!admitted) step.agent.admitted_by.clear();
  step.agent.status = AgentStatus::kActive;
  step.agent.version = kFirstAgentVersion - 1;
  step.agent.created_at = change.at;
  Touch(step.agent, change);
  return step;
}

Result<AgentStep> ChangedAgent(const Agent& stored, const Agent& requested,
                               const ca::Change& change) {
  AGENTCA_TRY(ca::CheckAgent(requested));
  if (stored.status == AgentStatus::kRetired) return Conflict("the agent is retired");
  if (stored.version != requested.version) {
    return Conflict("the agent has version " + std::to_string(stored.version) + ", not " +
                    std::to_string(requested.version) + ": somebody else has changed it");
  }
  std::string difference = Difference(stored, requested);
  if (difference.empty()) return AgentStep{stored, {}};
  AgentStep step{requested, {"changed", std::move(difference)}};
  step.agent.id = stored.id;
  step.agent.status = stored.status;
  step.agent.admitted_by = stored.admitted_by;
  step.agent.created_at = stored.created_at;
  Touch(step.agent, change);
  return step;
}

Result<AgentStep> AgentWithStatus(const Agent& stored, AgentStatus status,
                                  const std::string& reason, const ca::Change& change) {
  if (stored.status == status) return AgentStep{stored, {}};
  if (stored.status == AgentStatus::kRetired) return Conflict("the agent is retired");
  AgentStep step{stored, {std::string(ToString(status)), reason}};
  if (status == AgentStatus::kActive) step.note.what = "resumed";
  step.agent.status = status;
  Touch(step.agent, change);
  return step;
}

Result<AgentNote> PutRuleNote(const ca::AdmissionRule* previous, const ca::AdmissionRule& rule) {
  AGENTCA_TRY(ca::CheckAdmissionRule(rule));
  if (previous != nullptr && *previous == rule) return AgentNote{};
  const std::string difference = Difference(previous ? *previous : ca::AdmissionRule{}, rule);
  return AgentNote{previous ? "rule changed" : "rule added", rule.name + ": " + difference};
}

Result<AgentNote> PutSourceNote(const ca::EvidenceSource* previous,
                                const ca::EvidenceSource& source) {
  AGENTCA_TRY(ca::CheckEvidenceSource(source));
  if (previous != nullptr && *previous == source) return AgentNote{};
  const std::string difference = Difference(previous ? *previous : ca::EvidenceSource{}, source);
  return AgentNote{previous ? "source changed" : "source added", source.name + ": " + difference};
}

AgentNote RemoveRuleNote(const std::string& name) { return {"rule removed", name}; }
AgentNote RemoveSourceNote(const std::string& name) { return {"source removed", name}; }

std::vector<std::string> SourcesOf(const Agent& agent) {
  std::vector<std::string> sources;
  if (agent.status == AgentStatus::kRetired) return sources;
  for (const ca::EvidenceRule& each : agent.evidence) sources.push_back(each.source);
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return sources;
}

Result<ca::AgentId> AgentCursor(const std::string& after) {
  if (after.empty()) return ca::AgentId{};
  return ca::ParseAgentId(after);
}

Error NoSuchAgent(const ca::AgentId& id) {
  return {Code::kNotFound, "no such agent: " + id.ToString()};
}
Error AgentExists(const ca::AgentId& id) {
  return Conflict("agent " + id.ToString() + " is registered already");
}
Error NoSuchRule(const std::string& name) {
  return {Code::kNotFound, "no such admission rule: " + name};
}
Error NoSuchSource(const std::string& name) {
  return {Code::kNotFound, "no such evidence source: " + name};
}
Error UnknownSource(const std::string& name) {
  return {Code::kMalformed, "there is no evidence source \"" + name + "\""};
}
Error SourceInUse(const std::string& name, const std::string& user) {
  return Conflict("evidence source " + name + " is in use by " + user);
}

}  // namespace agentca::storage
