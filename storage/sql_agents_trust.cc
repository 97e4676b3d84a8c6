#include "storage/agent_codec.h"
#include "storage/codec.h"
#include "storage/sql_agents.h"

namespace agentca::storage {
namespace {

using ca::AdmissionRule;
using ca::Change;
using ca::EvidenceSource;

constexpr const char* kSource = "SELECT name, definition FROM evidence_source WHERE name = ?";
// Held with NO KEY, a source may come to be needed meanwhile; held for a removal, it may not.
constexpr const char* kSourceToChange =
    "SELECT name, definition FROM evidence_source WHERE name = ? /*FOR NO KEY UPDATE*/";
constexpr const char* kSourceToRemove =
    "SELECT name, definition FROM evidence_source WHERE name = ? /*FOR UPDATE*/";
constexpr const char* kSources = "SELECT name, definition FROM evidence_source ORDER BY name";
constexpr const char* kAddSource = "INSERT INTO evidence_source (name, definition) VALUES (?, ?)";
constexpr const char* kChangeSource =
    "UPDATE evidence_source SET definition = ?2 WHERE name = ?1";
constexpr const char* kRuleToChange =
    "SELECT name, definition FROM admission_rule WHERE name = ? /*FOR UPDATE*/";
constexpr const char* kRuleExists = "SELECT 1 FROM admission_rule WHERE name = ?";
constexpr const char* kRules = "SELECT name, definition FROM admission_rule ORDER BY name";
constexpr const char* kAddRule =
    "INSERT INTO admission_rule (name, source, definition) VALUES (?, ?, ?)";
constexpr const char* kChangeRule =
    "UPDATE admission_rule SET source = ?2, definition = ?3 WHERE name = ?1";
constexpr const char* kRuleThatNeeds =
    "SELECT 'rule ' || name FROM admission_rule WHERE source = ? ORDER BY name LIMIT 1";
constexpr const char* kAgentThatNeeds =
    "SELECT 'agent ' || tenant || '/' || name FROM agent_source WHERE source = ? "
    "ORDER BY tenant, name LIMIT 1";

// A definition names itself: a row that another program moved is damaged.
template <class Value>
Result<Value> ReadAs(Query& row, Result<Value> (*read)(std::string_view), const char* what) {
  AGENTCA_ASSIGN(Value value, read(row.Text(1)));
  if (value.name != row.Text(0) || !row.intact()) return Damaged(what);
  return value;
}
Result<AdmissionRule> Read(Query& row, const AdmissionRule*) {
  return ReadAs(row, RuleFromJson, "an admission rule");
}
Result<EvidenceSource> Read(Query& row, const EvidenceSource*) {
  return ReadAs(row, SourceFromJson, "an evidence source");
}

template <class Value>
Result<std::optional<Value>> FindNamed(Connection& connection, const char* sql,
                                       const std::string& name) {
  Query row(connection, sql, name);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return std::optional<Value>();
  AGENTCA_ASSIGN(Value value, Read(row, static_cast<const Value*>(nullptr)));
  return std::optional(std::move(value));
}

template <class Value>
Result<std::vector<Value>> All(Connection& connection, const char* sql) {
  std::vector<Value> all;
  Query row(connection, sql);
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return all;
    AGENTCA_ASSIGN(Value value, Read(row, static_cast<const Value*>(nullptr)));
    all.push_back(std::move(value));
  }
}

template <class Value>
const Value* PointerTo(const std::optional<Value>& value) {
  return value ? &*value : nullptr;
}

Result<bool> IsGone(Connection& connection, const char* sql, const std::string& name) {
  AGENTCA_ASSIGN(const bool found, Query(connection, sql, name).Next());
  return !found;
}

// kConflict when `sql` finds something that needs the source.
Status RefuseUsers(Connection& connection, const char* sql, const std::string& source) {
  Query row(connection, sql, source);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return {};
  return SourceInUse(source, row.Text(0));
}

}  // namespace

Status RequireSources(Connection& connection, const std::vector<std::string>& names) {
  for (const std::string& each : names) {
    AGENTCA_ASSIGN(const bool found, Query(connection, kSource, each).Next());
    if (!found) return UnknownSource(each);
  }
  return {};
}

Status SqlAgents::PutRule(const AdmissionRule& rule, const Change& change) {
  const auto put = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const auto previous,
                   FindNamed<AdmissionRule>(connection, kRuleToChange, rule.name));
    AGENTCA_ASSIGN(const AgentNote note, PutRuleNote(PointerTo(previous), rule));
    if (note.what.empty()) return {};
    AGENTCA_TRY(RequireSources(connection, {rule.source}));
    AGENTCA_TRY(Query(connection, previous ? kChangeRule : kAddRule, rule.name, rule.source,
                      ToJson(rule))
                    .Run());
    return AppendEvent(connection, {}, note, change);
  };
  return database_.Write(put, Isolation::kLocks);
}

// Also one that cannot be read: removing it is how to be rid of it.
Status SqlAgents::RemoveRule(const std::string& name, const Change& change) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_ASSIGN(const bool found, Query(connection, kRuleToChange, name).Next());
        if (!found) return NoSuchRule(name);
        AGENTCA_TRY(Query(connection, "DELETE FROM admission_rule WHERE name = ?", name).Run());
        return AppendEvent(connection, {}, RemoveRuleNote(name), change);
      },
      [&](Connection& connection) { return IsGone(connection, kRuleExists, name); },
      Isolation::kLocks);
}

Result<std::vector<AdmissionRule>> SqlAgents::ListRules() {
  return database_.Read(
      [](Connection& connection) { return All<AdmissionRule>(connection, kRules); });
}

Status SqlAgents::PutSource(const EvidenceSource& source, const Change& change) {
  const auto put = [&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const auto previous,
                   FindNamed<EvidenceSource>(connection, kSourceToChange, source.name));
    AGENTCA_ASSIGN(const AgentNote note, PutSourceNote(PointerTo(previous), source));
    if (note.what.empty()) return {};
    AGENTCA_TRY(Query(connection, previous ? kChangeSource : kAddSource, source.name,
                      ToJson(source))
                    .Run());
    return AppendEvent(connection, {}, note, change);
  };
  return database_.Write(put, Isolation::kLocks);
}

Status SqlAgents::RemoveSource(const std::string& name, const Change& change) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_ASSIGN(const bool found, Query(connection, kSourceToRemove, name).Next());
        if (!found) return NoSuchSource(name);
        AGENTCA_TRY(RefuseUsers(connection, kRuleThatNeeds, name));
        AGENTCA_TRY(RefuseUsers(connection, kAgentThatNeeds, name));
        AGENTCA_TRY(Query(connection, "DELETE FROM evidence_source WHERE name = ?", name).Run());
        return AppendEvent(connection, {}, RemoveSourceNote(name), change);
      },
      [&](Connection& connection) { return IsGone(connection, kSource, name); },
      Isolation::kLocks);
}

Result<std::vector<EvidenceSource>> SqlAgents::ListSources() {
  return database_.Read(
      [](Connection& connection) { return All<EvidenceSource>(connection, kSources); });
}

}  // namespace agentca::storage
