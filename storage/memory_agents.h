// ca::AgentRegistry in memory.
#pragma once

#include <map>
#include <mutex>

#include "ca/agent_registry.h"
#include "storage/agent_transitions.h"

namespace agentca::storage {

class MemoryAgents final : public ca::AgentRegistry {
 public:
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

  // The registry held still, for a transaction of another store. Whoever holds both locks took
  // that of MemoryAcmeStore first. Each call has its effect or fails and has none.
  class Held {
   public:
    Result<ca::Agent> Find(const ca::AgentId& id) const { return agents_.Lookup(id); }
    Result<ca::Agent> Admit(const ca::Agent& agent, const ca::Change& change) {
      return agents_.AdmitLocked(agent, change);
    }

   private:
    friend class MemoryAgents;
    explicit Held(MemoryAgents& agents) : agents_(agents), lock_(agents.mutex_) {}
    MemoryAgents& agents_;
    std::unique_lock<std::mutex> lock_;
  };
  Held Hold() { return Held(*this); }

 private:
  // All of these are called with mutex_ held.
  Result<ca::Agent> Lookup(const ca::AgentId& id) const;
  Result<ca::Agent> AdmitLocked(const ca::Agent& agent, const ca::Change& change);
  Result<ca::Agent> Keep(Result<AgentStep> step, const ca::Change& change);
  Status RequireSources(const std::vector<std::string>& names) const;
  void Append(const ca::AgentId& id, const AgentNote& note, const ca::Change& change);
  std::vector<ca::AgentEvent> EventsOf(const ca::AgentId& id, int64_t after, size_t limit) const;

  std::mutex mutex_;  // guards everything below
  std::map<ca::AgentId, ca::Agent> agents_;
  std::map<std::string, ca::AdmissionRule> rules_;
  std::map<std::string, ca::EvidenceSource> sources_;
  std::vector<ca::AgentEvent> events_;  // events_[i].sequence is i + 1
};

}  // namespace agentca::storage
