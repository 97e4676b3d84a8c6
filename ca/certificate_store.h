// What the CA must remember, as protocol verbs. Implemented in storage/.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ca/certificate.h"
#include "ca/issuer.h"
#include "ca/leases.h"

namespace agentca::ca {

struct Revocation {
  Time at;
  Reason reason;
};

// Life of a serial: intent → issued, or intent → abandoned (signature failed or process died).
// An abandoned serial counts as revoked at the instant it was abandoned: a signature may exist.
enum class SerialState : uint8_t { kIntent, kIssued, kAbandoned };

struct CertStatus {
  SerialState state;
  std::optional<Revocation> revocation;  // set for every abandoned serial
  Time not_after;
};

// What a store knows of a public key.
enum class KeyHistory : uint8_t {
  kNone,
  kCertified,    // an intent with it was recorded, whatever became of that
  kCompromised,  // a certificate for it was revoked for keyCompromise
};

struct CertificateRecord {
  IssuerId issuer_id;
  Serial serial;
  SerialState state;
  Bytes tbs;                // exact bytes that were to be signed
  Bytes der;                // empty unless kIssued
  std::string reference;    // CertificateRequest::reference
  std::string owner;
  std::string profile;
  std::vector<std::string> dns_names;
  Time intended_at;
  Time not_after;
  std::optional<Revocation> revocation;
};

struct RevokedEntry {
  Serial serial;
  Revocation revocation;
};

// One revocation, in the order in which the store committed them. Lets every process on a store
// learn of revocations made by another (CLI, another node).
struct RevocationEvent {
  int64_t sequence;  // strictly increasing
  IssuerId issuer_id;
  Serial serial;
};

struct CertificateFilter {
  std::optional<std::string> name;   // exact dns name
  std::optional<std::string> owner;
  bool only_valid = false;           // issued, not revoked, not expired at `now`
  Time now{};
  size_t limit = 100;
  std::string after;                 // cursor: serial hex of the last row seen, newest first
};

// The two durable marks of an issuance, each one transaction: a CertificateStore's own, or with
// what else must become true with them. When a method returns success the effect survives power
// loss. kUnavailable, kInternal: nothing is known of the effect; any other error: there is none.
class Journal {
 public:
  virtual ~Journal() = default;
  // kConflict: serial reused. kBadPublicKey: the key is compromised; it is never certified again.
  virtual Status RecordIntent(const Ticket&, Time now) = 0;
  // intent → issued, with the DER. kConflict when the serial is not an intent (also: abandoned
  // meanwhile by a sweep); kNotFound when there is none.
  virtual Status RecordCertificate(const Certificate&, const IssuerId&) = 0;
};

// Thread-safe. Every method is one durable transaction: when it returns success the effect
// survives power loss. kUnavailable: the store is away and nothing is known of the effect;
// kInternal: the store is broken.
class CertificateStore : public Journal {
 public:
  // intent → abandoned (and so revoked, reason unspecified). kConflict when already issued.
  virtual Status Abandon(const IssuerId&, const Serial&, Time at) = 0;
  // Intents that somebody left behind, oldest first, at most `limit`: what a sweep abandons. Nothing
  // is claimed, since Abandon does what there is to do, at once.
  virtual Result<std::vector<CertificateRecord>> ListIntents(WorkScope, size_t limit) = 0;

  virtual Result<CertStatus> StatusOf(const IssuerId&, const Serial&) = 0;  // kNotFound: never issued
  virtual Result<CertificateRecord> Find(const IssuerId&, const Serial&) = 0;   // kNotFound
  // The record whose reference is `reference`, the latest if several; kNotFound.
  virtual Result<CertificateRecord> FindByReference(std::string_view reference) = 0;
  virtual Result<std::vector<CertificateRecord>> List(const CertificateFilter&) = 0;

  // By PublicKey::spki_sha256.
  virtual Result<KeyHistory> HistoryOf(const Sha256Digest& key) = 0;

  // issued → revoked. kAlreadyRevoked, kNotFound (an intent is not found either). With
  // kKeyCompromise the key becomes kCompromised.
  virtual Status Revoke(const IssuerId&, const Serial&, Reason, Time at) = 0;
  // Calls `visit` for every revoked or abandoned serial of the issuer whose not_after is not before
  // `not_before`, in serial order, from one consistent snapshot; stops when it returns false.
  virtual Status VisitRevoked(const IssuerId&, Time not_before,
                              const std::function<bool(const RevokedEntry&)>& visit) = 0;
  // Events with sequence > `after`, in order, at most `limit`.
  virtual Result<std::vector<RevocationEvent>> RevocationsSince(int64_t after, size_t limit) = 0;
  virtual Result<int64_t> LastRevocationSequence() = 0;  // 0: none yet

  // The next CRL number of this issuer: strictly increasing, durable before it is returned.
  virtual Result<uint64_t> NextCrlNumber(const IssuerId&) = 0;
};

}  // namespace agentca::ca
