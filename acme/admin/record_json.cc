#include "acme/admin/record_json.h"

#include "acme/admin/agent_json.h"

namespace agentca::acme::admin {
namespace {

std::string_view StateOf(const ca::CertificateRecord& record, Time now) {
  if (record.state == ca::SerialState::kIntent) return "unfinished";
  if (record.state == ca::SerialState::kAbandoned) return "abandoned";
  if (record.revocation) return "revoked";
  return record.not_after < now ? "expired" : "valid";
}

void WriteClaims(JsonWriter& json, const ca::Claims& claims) {
  json.BeginObject();
  for (const auto& [claim, values] : claims) {
    json.Key(claim).BeginArray();
    for (const auto& value : values) json.String(value);
    json.EndArray();
  }
  json.EndObject();
}

}  // namespace

void WriteAttestation(JsonWriter& json, const AttestationRecord& record) {
  const Attestation& attestation = record.attestation;
  json.BeginObject().Member("authorization", record.authorization);
  if (!record.account.empty()) json.Member("account", record.account);
  json.Member("agent", attestation.agent.ToString())
      .Key("agentVersion")
      .Int(attestation.agent_version)
      .Member("format", attestation.format)
      .Member("source", attestation.source)
      .Key("level")
      .Int(attestation.level)
      .Key("keyBound")
      .Bool(attestation.key_bound);
  if (attestation.key) json.Member("key", ToHex(*attestation.key));
  json.Member("evidenceHash", ToHex(attestation.evidence_hash))
      .Member("verifiedAt", ToRfc3339(attestation.verified_at))
      .Key("claims");
  WriteClaims(json, attestation.claims);
  json.Key("components");
  WriteComponents(json, attestation.components);
  json.EndObject();
}

void WriteApproval(JsonWriter& json, const ApprovalRecord& record) {
  const Approval& approval = record.approval;
  json.BeginObject()
      .Member("order", record.order)
      .Member("account", record.account)
      .Member("agent", approval.agent.ToString())
      .Member("decision", ToString(approval.decision))
      .Member("askedAt", ToRfc3339(approval.asked_at));
  if (approval.decided_at)
    json.Member("decidedBy", approval.decided_by)
        .Member("reason", approval.reason)
        .Member("decidedAt", ToRfc3339(*approval.decided_at));
  json.EndObject();
}

void WriteCertificate(JsonWriter& json, const ca::CertificateRecord& record, Time now) {
  json.BeginObject()
      .Member("serial", record.serial.ToString())
      .Member("issuer", record.issuer_id)
      .Member("profile", record.profile)
      .Key("names")
      .BeginArray();
  for (const auto& name : record.dns_names) json.String(name);
  json.EndArray()
      .Member("state", StateOf(record, now))
      .Member("issuedAt", ToRfc3339(record.intended_at))
      .Member("notAfter", ToRfc3339(record.not_after));
  if (record.revocation)
    json.Member("revokedAt", ToRfc3339(record.revocation->at))
        .Member("revocationReason", ca::ToString(record.revocation->reason));
  json.EndObject();
}

}  // namespace agentca::acme::admin
