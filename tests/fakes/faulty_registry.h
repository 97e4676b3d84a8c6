// A registry of agents that fails on demand, both ways: "failed" and "failed, but persisted".
#pragma once

#include <string>
#include <vector>

#include "ca/agent_registry.h"
#include "tests/fakes/faulty_store.h"

namespace agentca::fakes {

class FaultyRegistry final : public ca::AgentRegistry {
 public:
  FaultyRegistry(ca::AgentRegistry& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Result<ca::Agent> AddAgent(const ca::Agent& agent, const ca::Change& change) override {
    return plan_.Run("AddAgent", [&] { return inner_.AddAgent(agent, change); });
  }
  Result<ca::Agent> AdmitAgent(const ca::Agent& agent, const ca::Change& change) override {
    return plan_.Run("AdmitAgent", [&] { return inner_.AdmitAgent(agent, change); });
  }
  Result<ca::Agent> FindAgent(const ca::AgentId& id) override {
    return plan_.Run("FindAgent", [&] { return inner_.FindAgent(id); });
  }
  Result<std::vector<ca::Agent>> ListAgents(const ca::AgentFilter& filter) override {
    return plan_.Run("ListAgents", [&] { return inner_.ListAgents(filter); });
  }
  Result<ca::Agent> ChangeAgent(const ca::Agent& agent, const ca::Change& change) override {
    return plan_.Run("ChangeAgent", [&] { return inner_.ChangeAgent(agent, change); });
  }
  Result<ca::Agent> SetAgentStatus(const ca::AgentId& id, ca::AgentStatus status,
                                   const std::string& reason, const ca::Change& change) override {
    return plan_.Run("SetAgentStatus",
                     [&] { return inner_.SetAgentStatus(id, status, reason, change); });
  }
  Status NoteAgentEvent(const ca::AgentId& id, const std::string& what, const std::string& detail,
                        const ca::Change& change) override {
    return plan_.Run("NoteAgentEvent",
                     [&] { return inner_.NoteAgentEvent(id, what, detail, change); });
  }
  Result<std::vector<ca::AgentEvent>> AgentHistory(const ca::AgentId& id, int64_t after,
                                                   size_t limit) override {
    return plan_.Run("AgentHistory", [&] { return inner_.AgentHistory(id, after, limit); });
  }
  Status PutRule(const ca::AdmissionRule& rule, const ca::Change& change) override {
    return plan_.Run("PutRule", [&] { return inner_.PutRule(rule, change); });
  }
  Status RemoveRule(const std::string& name, const ca::Change& change) override {
    return plan_.Run("RemoveRule", [&] { return inner_.RemoveRule(name, change); });
  }
  Result<std::vector<ca::AdmissionRule>> ListRules() override {
    return plan_.Run("ListRules", [&] { return inner_.ListRules(); });
  }
  Status PutSource(const ca::EvidenceSource& source, const ca::Change& change) override {
    return plan_.Run("PutSource", [&] { return inner_.PutSource(source, change); });
  }
  Status RemoveSource(const std::string& name, const ca::Change& change) override {
    return plan_.Run("RemoveSource", [&] { return inner_.RemoveSource(name, change); });
  }
  Result<std::vector<ca::EvidenceSource>> ListSources() override {
    return plan_.Run("ListSources", [&] { return inner_.ListSources(); });
  }
  Result<std::vector<ca::AgentEvent>> HistoryOfTrust(int64_t after, size_t limit) override {
    return plan_.Run("HistoryOfTrust", [&] { return inner_.HistoryOfTrust(after, limit); });
  }
  Result<int64_t> TrustVersion() override {
    return plan_.Run("TrustVersion", [&] { return inner_.TrustVersion(); });
  }

 private:
  ca::AgentRegistry& inner_;
  FaultPlan& plan_;
};

}  // namespace agentca::fakes
