// What the CA remembers, as JSON for those who look: attestations, approvals, certificates.
//
// Attestation: {"authorization","account","agent","agentVersion","format","source","level",
//   "keyBound","key"(hex),"evidenceHash"(hex),"verifiedAt","claims":{"claim":["value",…]},
//   "components":[…]}
// Approval: {"order","account","agent","decision","askedAt","decidedBy","reason","decidedAt"}
// Certificate: {"serial","issuer","profile","names":[…],"state","issuedAt","notAfter",
//   "revokedAt","revocationReason"}; state: valid, expired, revoked, unfinished or abandoned
#pragma once

#include "acme/json.h"
#include "acme/store.h"
#include "ca/certificate_store.h"

namespace agentca::acme::admin {

void WriteAttestation(JsonWriter& json, const AttestationRecord& record);
void WriteApproval(JsonWriter& json, const ApprovalRecord& record);
void WriteCertificate(JsonWriter& json, const ca::CertificateRecord& record, Time now);

}  // namespace agentca::acme::admin
