// What the CA must remember of agents, as verbs. Implemented in storage/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca/agent.h"

namespace agentca::ca {

// Who changes something and when; goes to the history. `by`: "admin alice", "rule k8s-fleet".
struct Change {
  std::string by;
  Time at;
};

// History of one agent, oldest first. What happened: "added", "changed", "suspended", "resumed",
// "retired", "admitted", "drift"; of trust: "rule added", "rule changed", "rule removed", "source
// added", …
struct AgentEvent {
  int64_t sequence = 0;  // strictly increasing over all agents
  AgentId agent;
  Time at{};
  std::string by;
  std::string what;
  std::string detail;  // in words: the fields that changed, the reason given
};

struct AgentFilter {
  std::optional<std::string> tenant{};
  std::optional<AgentStatus> status{};
  std::string after{};  // cursor: AgentId::ToString of the last row seen; ordered by tenant, name
  size_t limit = 100;
};

// Thread-safe. Every method is one durable transaction, with its event in the history, which only
// ever grows. What changes nothing succeeds without an event. Errors as in ca::CertificateStore:
// kUnavailable, kInternal; and those named. What CheckAgent, CheckAdmissionRule or
// CheckEvidenceSource refuse, or what refers to a source that is not there, is kMalformed.
class AgentRegistry {
 public:
  virtual ~AgentRegistry() = default;

  // Status, version and times of `agent` are the registry's. kConflict: registered already.
  virtual Result<Agent> AddAgent(const Agent& agent, const Change& change) = 0;
  // An agent admitted by a rule at its first proof. One that is there already is returned as it is,
  // whatever it says, suspended or retired: an administrator's registration wins.
  virtual Result<Agent> AdmitAgent(const Agent& agent, const Change& change) = 0;
  virtual Result<Agent> FindAgent(const AgentId& id) = 0;  // kNotFound
  // kMalformed: `after` is no AgentId.
  virtual Result<std::vector<Agent>> ListAgents(const AgentFilter& filter) = 0;
  // Everything but id, status, admitted_by and times. kConflict unless `agent.version` is the
  // stored one; kNotFound; kConflict for a retired agent.
  virtual Result<Agent> ChangeAgent(const Agent& agent, const Change& change) = 0;
  // active ↔ suspended, both → retired; retired is for ever (kConflict). To the present status:
  // changes nothing, no event.
  virtual Result<Agent> SetAgentStatus(const AgentId& id, AgentStatus status,
                                       const std::string& reason, const Change& change) = 0;
  // An event that changes nothing (drift). One that is there already, with the same words of the
  // same second by the same person, is not added again, so that who heard nothing may say it again.
  // kNotFound.
  virtual Status NoteAgentEvent(const AgentId& id, const std::string& what,
                                const std::string& detail, const Change& change) = 0;
  // From the first event whose sequence is greater than `after`. kNotFound.
  virtual Result<std::vector<AgentEvent>> AgentHistory(const AgentId& id, int64_t after,
                                                       size_t limit) = 0;

  // By name; Put replaces. Remove: kNotFound; kConflict while an agent that is not retired, or a
  // rule, refers to a source.
  // Their changes are events, too (AgentEvent with an empty agent): HistoryOfTrust.
  virtual Status PutRule(const AdmissionRule& rule, const Change& change) = 0;
  virtual Status RemoveRule(const std::string& name, const Change& change) = 0;
  virtual Result<std::vector<AdmissionRule>> ListRules() = 0;
  virtual Status PutSource(const EvidenceSource& source, const Change& change) = 0;
  virtual Status RemoveSource(const std::string& name, const Change& change) = 0;
  virtual Result<std::vector<EvidenceSource>> ListSources() = 0;
  virtual Result<std::vector<AgentEvent>> HistoryOfTrust(int64_t after, size_t limit) = 0;
  // Grows with every change of rules and sources, so that parsed keys can be kept.
  virtual Result<int64_t> TrustVersion() = 0;
};

}  // namespace agentca::ca
