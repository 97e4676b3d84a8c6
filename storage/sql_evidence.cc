#include "ca/base/utf8.h"
#include "storage/attestation_codec.h"
#include "storage/codec.h"
#include "storage/sql_acme.h"
#include "storage/sql_acme_rows.h"
#include "storage/sql_agents.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using acme::Attestation;
using acme::AttestationRecord;

constexpr const char* kUsed = "SELECT 1 FROM attestation WHERE evidence_hash = ? OR replay_id = ?";
constexpr const char* kInsert =
    "INSERT INTO attestation (id, reference, account, tenant, agent, evidence_hash, replay_id, "
    "attestation) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id";
constexpr const char* kCursor = "SELECT id FROM attestation WHERE reference = ?";
constexpr const char* kAll =
    "SELECT reference, account, attestation FROM attestation WHERE id < ? "
    "ORDER BY id DESC LIMIT ?";
constexpr const char* kByAgent =
    "SELECT reference, account, attestation FROM attestation "
    "WHERE id < ? AND tenant = ?3 AND agent = ?4 ORDER BY id DESC LIMIT ?2";

// A column of text. An id that is none, because its maker chose any octets, is written in another
// form, and so is one that could be taken for that.
std::optional<std::string> ReplayIdOf(const Attestation& attestation) {
  const std::string& id = attestation.replay_id;
  if (id.empty()) return std::nullopt;
  constexpr std::string_view kOctets = "octets:";
  const bool is_text = IsUtf8(id) && id.find('\0') == std::string::npos;
  if (is_text && !id.starts_with(kOctets)) return id;
  return std::string(kOctets) + ToHex(AsBytes(id));
}

Result<int64_t> PositionOf(Connection& connection, const std::string& after) {
  if (after.empty()) return INT64_MAX;
  Query row(connection, kCursor, after);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return UnknownCursor();
  return row.Int(0);
}

Result<std::vector<AttestationRecord>> ReadAll(Query& row) {
  std::vector<AttestationRecord> records;
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return records;
    AGENTCA_ASSIGN(Attestation attestation, AttestationFromJson(row.Text(2)));
    records.push_back({row.Text(0), row.Text(1), std::move(attestation)});
    if (!row.intact()) return Damaged("an attestation");
  }
}

}  // namespace

Result<std::optional<Attestation>> AttestationOrNull(const std::optional<std::string>& json) {
  if (!json) return std::optional<Attestation>();
  AGENTCA_ASSIGN(Attestation attestation, AttestationFromJson(*json));
  return std::optional(std::move(attestation));
}

Result<bool> SqlLedger::IsUsed(const Attestation& attestation) {
  return Query(connection_, kUsed, attestation.evidence_hash, ReplayIdOf(attestation)).Next();
}

Result<ca::Agent> SqlLedger::FindAgent(const ca::AgentId& id) {
  return LoadAgentForGuard(connection_, id);
}

Result<ca::Agent> SqlLedger::Admit(const ca::Agent& agent, const ca::Change& change) {
  return AdmitWithin(connection_, agent, change);
}

Status SqlLedger::Append(const AttestationRecord& record) {
  const Attestation& attestation = record.attestation;
  for (;;) {
    Query row(connection_, kInsert, NewRowId(), record.authorization, record.account,
              attestation.agent.tenant, attestation.agent.name, attestation.evidence_hash,
              ReplayIdOf(attestation), ToJson(attestation));
    AGENTCA_ASSIGN(const bool inserted, row.Next());
    if (inserted) return row.Run();
  }
}

Result<std::vector<AttestationRecord>> SqlAcmeStore::ListAttestations(
    const acme::AttestationFilter& filter) {
  using Records = std::vector<AttestationRecord>;
  return database_.ReadSnapshot([&](Connection& connection) -> Result<Records> {
    AGENTCA_ASSIGN(const int64_t before, PositionOf(connection, filter.after));
    const auto limit = static_cast<int64_t>(filter.limit);
    if (!filter.agent) {
      Query row(connection, kAll, before, limit);
      return ReadAll(row);
    }
    Query row(connection, kByAgent, before, limit, filter.agent->tenant, filter.agent->name);
    return ReadAll(row);
  });
}

}  // namespace agentca::storage
