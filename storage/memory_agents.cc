#include "storage/memory_agents.h"

#include <algorithm>

namespace agentca::storage {

using ca::AdmissionRule;
using ca::Agent;
using ca::AgentEvent;
using ca::AgentId;
using ca::Change;
using ca::EvidenceSource;

namespace {

template <class Value>
const Value* FindIn(const std::map<std::string, Value>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? nullptr : &found->second;
}

template <class Value>
std::vector<Value> ValuesOf(const std::map<std::string, Value>& values) {
  std::vector<Value> all;
  for (const auto& [name, value] : values) all.push_back(value);
  return all;
}

}  // namespace

// ---- With mutex_ held --------------------------------------------------------------------------

Result<Agent> MemoryAgents::Lookup(const AgentId& id) const {
  const auto found = agents_.find(id);
  if (found == agents_.end()) return NoSuchAgent(id);
  return found->second;
}

void MemoryAgents::Append(const AgentId& id, const AgentNote& note, const Change& change) {
  const auto sequence = static_cast<int64_t>(events_.size()) + 1;
  events_.push_back({sequence, id, change.at, change.by, note.what, note.detail});
}

Status MemoryAgents::RequireSources(const std::vector<std::string>& names) const {
  for (const std::string& each : names) {
    if (!sources_.contains(each)) return UnknownSource(each);
  }
  return {};
}

Result<Agent> MemoryAgents::Keep(Result<AgentStep> step, const Change& change) {
  if (!step.ok()) return step.error();
  if (step->note.what.empty()) return step->agent;
  AGENTCA_TRY(RequireSources(SourcesOf(step->agent)));
  agents_.insert_or_assign(step->agent.id, step->agent);
  Append(step->agent.id, step->note, change);
  return step->agent;
}

Result<Agent> MemoryAgents::AdmitLocked(const Agent& agent, const Change& change) {
  if (const auto found = agents_.find(agent.id); found != agents_.end()) return found->second;
  return Keep(StartAgent(agent, true, change), change);
}

std::vector<AgentEvent> MemoryAgents::EventsOf(const AgentId& id, int64_t after,
                                               size_t limit) const {
  std::vector<AgentEvent> events;
  for (const AgentEvent& each : events_) {
    if (events.size() >= limit) break;
    if (each.sequence > after && each.agent == id) events.push_back(each);
  }
  return events;
}

// ---- Agents ------------------------------------------------------------------------------------

Result<Agent> MemoryAgents::AddAgent(const Agent& agent, const Change& change) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(AgentStep step, StartAgent(agent, false, change));
  if (agents_.contains(agent.id)) return AgentExists(agent.id);
  return Keep(std::move(step), change);
}

Result<Agent> MemoryAgents::AdmitAgent(const Agent& agent, const Change& change) {
  const std::lock_guard lock(mutex_);
  return AdmitLocked(agent, change);
}

Result<Agent> MemoryAgents::FindAgent(const AgentId& id) {
  const std::lock_guard lock(mutex_);
  return Lookup(id);
}

Result<std::vector<Agent>> MemoryAgents::ListAgents(const ca::AgentFilter& filter) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(const AgentId after, AgentCursor(filter.after));
  std::vector<Agent> page;
  for (auto it = agents_.upper_bound(after); it != agents_.end(); ++it) {
    if (page.size() >= filter.limit) break;
    const Agent& agent = it->second;
    if (filter.tenant && agent.id.tenant != *filter.tenant) continue;
    if (filter.status && agent.status != *filter.status) continue;
    page.push_back(agent);
  }
  return page;
}

Result<Agent> MemoryAgents::ChangeAgent(const Agent& agent, const Change& change) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(const Agent stored, Lookup(agent.id));
  return Keep(ChangedAgent(stored, agent, change), change);
}

Result<Agent> MemoryAgents::SetAgentStatus(const AgentId& id, ca::AgentStatus status,
                                           const std::string& reason, const Change& change) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(const Agent stored, Lookup(id));
  return Keep(AgentWithStatus(stored, status, reason, change), change);
}

Status MemoryAgents::NoteAgentEvent(const AgentId& id, const std::string& what,
                                    const std::string& detail, const Change& change) {
  const std::lock_guard lock(mutex_);
  if (!agents_.contains(id)) return NoSuchAgent(id);
  const bool noted = std::any_of(events_.begin(), events_.end(), [&](const AgentEvent& each) {
    return each.agent == id && each.at == change.at && each.by == change.by && each.what == what &&
           each.detail == detail;
  });
  if (!noted) Append(id, {what, detail}, change);
  return {};
}

Result<std::vector<AgentEvent>> MemoryAgents::AgentHistory(const AgentId& id, int64_t after,
                                                           size_t limit) {
  const std::lock_guard lock(mutex_);
  if (!agents_.contains(id)) return NoSuchAgent(id);
  return EventsOf(id, after, limit);
}

// ---- Trust -------------------------------------------------------------------------------------

Status MemoryAgents::PutRule(const AdmissionRule& rule, const Change& change) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(const AgentNote note, PutRuleNote(FindIn(rules_, rule.name), rule));
  if (note.what.empty()) return {};
  AGENTCA_TRY(RequireSources({rule.source}));
  rules_.insert_or_assign(rule.name, rule);
  Append({}, note, change);
  return {};
}

Status MemoryAgents::RemoveRule(const std::string& name, const Change& change) {
  const std::lock_guard lock(mutex_);
  if (rules_.erase(name) == 0) return NoSuchRule(name);
  Append({}, RemoveRuleNote(name), change);
  return {};
}

Result<std::vector<AdmissionRule>> MemoryAgents::ListRules() {
  const std::lock_guard lock(mutex_);
  return ValuesOf(rules_);
}

Status MemoryAgents::PutSource(const EvidenceSource& source, const Change& change) {
  const std::lock_guard lock(mutex_);
  AGENTCA_ASSIGN(const AgentNote note, PutSourceNote(FindIn(sources_, source.name), source));
  if (note.what.empty()) return {};
  sources_.insert_or_assign(source.name, source);
  Append({}, note, change);
  return {};
}

Status MemoryAgents::RemoveSource(const std::string& name, const Change& change) {
  const std::lock_guard lock(mutex_);
  if (!sources_.contains(name)) return NoSuchSource(name);
  for (const auto& [rule_name, rule] : rules_) {
    if (rule.source == name) return SourceInUse(name, "rule " + rule_name);
  }
  for (const auto& [id, agent] : agents_) {
    for (const std::string& each : SourcesOf(agent)) {
      if (each == name) return SourceInUse(name, "agent " + id.ToString());
    }
  }
  sources_.erase(name);
  Append({}, RemoveSourceNote(name), change);
  return {};
}

Result<std::vector<EvidenceSource>> MemoryAgents::ListSources() {
  const std::lock_guard lock(mutex_);
  return ValuesOf(sources_);
}

Result<std::vector<AgentEvent>> MemoryAgents::HistoryOfTrust(int64_t after, size_t limit) {
  const std::lock_guard lock(mutex_);
  return EventsOf({}, after, limit);
}

Result<int64_t> MemoryAgents::TrustVersion() {
  const std::lock_guard lock(mutex_);
  for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
    if (event->agent == AgentId{}) return event->sequence;
  }
  return int64_t{0};
}

}  // namespace agentca::storage
