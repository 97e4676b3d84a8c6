#include "storage/sql_certificates.h"

#include <algorithm>

#include "storage/codec.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using ca::IssuerId;
using ca::Serial;
using ca::SerialState;

constexpr const char* kIssuer = "SELECT id FROM issuer WHERE name = ?";
constexpr const char* kInsertIssuer =
    "INSERT INTO issuer (id, name) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM issuer), ?) "
    "RETURNING id";
constexpr const char* kInsertBody =
    "INSERT INTO certificate_body (id, serial, reference, owner, profile, dns_names, intended_at, "
    "tbs, spki_sha256, worker) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id";
constexpr const char* kInsertStatus =
    "INSERT INTO certificate_status (serial, issuer, body, state, not_after) "
    "SELECT ?, id, ?, 0, ? FROM issuer WHERE name = ? RETURNING issuer";
constexpr const char* kInsertName =
    "INSERT INTO certificate_name (name, body) VALUES (?, ?) ON CONFLICT DO NOTHING";
constexpr const char* kStatus =
    "SELECT s.state, s.not_after, s.revoked_at, s.reason, s.body "
    "FROM certificate_status s JOIN issuer i ON i.id = s.issuer WHERE s.serial = ? AND i.name = ?";
constexpr const char* kIntended =
    "SELECT s.state, s.body, b.tbs FROM certificate_status s JOIN issuer i ON i.id = s.issuer "
    "LEFT JOIN certificate_body b ON b.id = s.body WHERE s.serial = ? AND i.name = ? "
    "/*FOR UPDATE OF s*/";
constexpr const char* kIssued = "UPDATE certificate_status SET state = 1 WHERE serial = ?";
constexpr const char* kRevoked =
    "UPDATE certificate_status SET state = ?, revoked_at = ?, reason = ? WHERE serial = ?";
constexpr const char* kSetDer =
    "UPDATE certificate_body SET der = ?, tbs = NULL, tbs_offset = ?, tbs_size = ?, worker = NULL "
    "WHERE id = ?";
constexpr const char* kSetDerBesideTbs = "UPDATE certificate_body SET der = ? WHERE id = ?";
// The greatest and one: events come in the order of their commits, or a commit fails.
constexpr const char* kInsertEvent =
    "INSERT INTO revocation_event (sequence, serial) VALUES "
    "((SELECT coalesce(max(sequence), 0) + 1 FROM revocation_event), ?)";
constexpr const char* kKeyOf =
    "SELECT spki_sha256 FROM certificate_body WHERE id = ? AND spki_sha256 IS NOT NULL";
// An intent holds the gate of its key, so that the key is not found compromised while it ends. One
// at a time: were it shared, intents that follow each other closely could hold up the compromise.
constexpr const char* kHoldGate = "SELECT id FROM key_gate WHERE id = ? /*FOR UPDATE*/";
constexpr const char* kCompromise =
    "INSERT INTO compromised_key (spki_sha256) VALUES (?) ON CONFLICT DO NOTHING";
constexpr const char* kIsCompromised = "SELECT 1 FROM compromised_key WHERE spki_sha256 = ?";
constexpr const char* kIsCertified = "SELECT 1 FROM certificate_body WHERE spki_sha256 = ? LIMIT 1";
constexpr const char* kHasReference =
    "SELECT 1 FROM certificate_body WHERE reference = ? AND reference <> '' LIMIT 1";
constexpr const char* kIsIntended =
    "SELECT 1 FROM certificate_status s JOIN certificate_body b ON b.id = s.body "
    "WHERE s.serial = ? AND b.reference = ? AND b.spki_sha256 = ?";
constexpr const char* kHasDer =
    "SELECT 1 FROM certificate_status s JOIN certificate_body b ON b.id = s.body "
    "WHERE s.serial = ? AND s.state = 1 AND b.der = ?";
constexpr const char* kNextCrlNumber =
    "INSERT INTO crl_number (issuer, number) VALUES (?, 1) "
    "ON CONFLICT (issuer) DO UPDATE SET number = crl_number.number + 1 RETURNING number";

Result<int64_t> InsertBody(Connection& connection, const ca::Ticket& ticket,
                           const std::string& worker, Time now) {
  AGENTCA_ASSIGN(const std::string names, ToLines(ticket.dns_names()));
  for (;;) {
    const int64_t id = NewRowId();
    Query row(connection, kInsertBody, id, ticket.serial().bytes(), ticket.reference(),
              ticket.owner(), ticket.profile(), names, now, ticket.tbs(), ticket.key(), worker);
    AGENTCA_ASSIGN(const bool inserted, row.Next());
    if (!inserted) continue;  // another node drew the same
    AGENTCA_TRY(row.Run());
    return id;
  }
}

// Keys share so many gates by their first octet.
Status HoldGate(Connection& connection, ByteView key) {
  AGENTCA_ASSIGN(const bool held, Query(connection, kHoldGate, int64_t{key.front()}).Next());
  return held ? Status() : Status(Damaged("the gates of keys"));
}

// False: there is no such issuer yet.
Result<bool> InsertStatus(Connection& connection, const ca::Ticket& ticket, int64_t body) {
  Query row(connection, kInsertStatus, ticket.serial().bytes(), body, ticket.not_after(),
            ticket.issuer_id());
  AGENTCA_ASSIGN(const bool inserted, row.Next());
  if (inserted) AGENTCA_TRY(row.Run());  // a statement with RETURNING acts to the end
  return inserted;
}

Status InsertIntent(Connection& connection, const ca::Ticket& ticket, const std::string& worker,
                    Time now) {
  AGENTCA_TRY(HoldGate(connection, ticket.key()));
  AGENTCA_ASSIGN(const bool compromised, Query(connection, kIsCompromised, ticket.key()).Next());
  if (compromised) return KeyCompromised();
  AGENTCA_ASSIGN(const int64_t body, InsertBody(connection, ticket, worker, now));
  AGENTCA_ASSIGN(bool inserted, InsertStatus(connection, ticket, body));
  if (!inserted) {
    AGENTCA_TRY(EnsureIssuer(connection, ticket.issuer_id()));
    AGENTCA_ASSIGN(inserted, InsertStatus(connection, ticket, body));
    if (!inserted) return Damaged("the issuers");
  }
  for (const std::string& name : ticket.dns_names()) {
    AGENTCA_TRY(Query(connection, kInsertName, name, body).Run());
  }
  return {};
}

// Certificate ::= SEQUENCE { tbsCertificate, … }: the TBS begins where the outer header ends.
bool HoldsTbs(ByteView der, ByteView tbs, size_t* offset) {
  if (der.size() < 2) return false;
  constexpr uint8_t kLong = 0x80;
  *offset = 2 + ((der[1] & kLong) != 0 ? der[1] & ~kLong : 0U);
  return *offset + tbs.size() <= der.size() &&
         std::equal(tbs.begin(), tbs.end(), der.begin() + static_cast<std::ptrdiff_t>(*offset));
}

struct Intended {
  int64_t body;
  Bytes tbs;
};
Result<Intended> LoadIntended(Connection& connection, const IssuerId& issuer,
                              const Serial& serial) {
  Query row(connection, kIntended, serial.bytes(), issuer);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchCertificate();
  AGENTCA_ASSIGN(const SerialState state, SerialStateFromInt(row.Int(0)));
  AGENTCA_TRY(GuardRecording(state));
  Intended intended{row.Int(1), row.Blob(2)};
  if (!row.intact()) return Damaged("a certificate");
  return intended;
}

// A certificate that is not the intended one must not exist; if it does, both are evidence.
Status SetDer(Connection& connection, const Intended& intended, const Bytes& der) {
  const auto& [body, tbs] = intended;
  size_t offset = 0;
  if (!HoldsTbs(der, tbs, &offset)) return Query(connection, kSetDerBesideTbs, der, body).Run();
  return Query(connection, kSetDer, der, static_cast<int64_t>(offset),
               static_cast<int64_t>(tbs.size()), body)
      .Run();
}

}  // namespace

Result<int64_t> EnsureIssuer(Connection& connection, const IssuerId& issuer) {
  {
    Query row(connection, kIssuer, issuer);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (found) return row.Int(0);
  }
  Query row(connection, kInsertIssuer, issuer);
  AGENTCA_ASSIGN(const bool inserted, row.Next());
  if (!inserted) return Damaged("the issuers");
  const int64_t id = row.Int(0);
  AGENTCA_TRY(row.Run());  // a statement with RETURNING acts to the end
  return id;
}

Result<StatusRow> LoadStatus(Connection& connection, const IssuerId& issuer, const Serial& serial) {
  Query row(connection, kStatus, serial.bytes(), issuer);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchCertificate();
  AGENTCA_ASSIGN(const SerialState state, SerialStateFromInt(row.Int(0)));
  AGENTCA_ASSIGN(const auto revocation, ReadRevocation(row, 2, 3));
  const StatusRow loaded{{state, revocation, row.At(1)}, row.Int(4)};
  if (!row.intact()) return Damaged("a certificate");
  return loaded;
}

Status MarkRevoked(Connection& connection, const Serial& serial, SerialState state,
                   ca::Reason reason, Time at) {
  AGENTCA_TRY(Query(connection, kRevoked, static_cast<int>(state), at, static_cast<int>(reason),
                    serial.bytes())
                  .Run());
  return Query(connection, kInsertEvent, serial.bytes()).Run();
}

Status CompromiseKeyOf(Connection& connection, int64_t body) {
  Query row(connection, kKeyOf, body);
  AGENTCA_ASSIGN(const bool known, row.Next());
  if (!known) return {};
  const Bytes key = row.Blob(0);
  if (!row.intact() || key.empty()) return Damaged("the key of a certificate");
  AGENTCA_TRY(HoldGate(connection, key));
  return Query(connection, kCompromise, key).Run();
}

Result<SerialState> SerialStateFromInt(int64_t value) {
  if (value < 0 || value > static_cast<int64_t>(SerialState::kAbandoned)) {
    return Damaged("a certificate");
  }
  return static_cast<SerialState>(value);
}

Result<std::optional<ca::Revocation>> ReadRevocation(Query& row, int at_column, int reason_column) {
  if (row.IsNull(at_column)) return std::optional<ca::Revocation>();
  const auto reason = ca::ReasonFromInt(row.Int(reason_column));
  if (!reason.ok()) return Damaged("a revocation");
  return std::optional(ca::Revocation{row.At(at_column), *reason});
}

Status AddIntent(Connection& connection, const ca::Ticket& ticket, const std::string& worker,
                 Time now) {
  if (ticket.spent()) return Error{Code::kInternal, "storage: the ticket is spent"};
  Status inserted = InsertIntent(connection, ticket, worker, now);
  if (!inserted.ok() && inserted.error().code == Code::kConflict) return SerialReused();
  return inserted;
}

Status AddCertificate(Connection& connection, const ca::Certificate& certificate,
                      const IssuerId& issuer) {
  AGENTCA_ASSIGN(const Intended intended, LoadIntended(connection, issuer, certificate.serial));
  AGENTCA_TRY(SetDer(connection, intended, certificate.der));
  return Query(connection, kIssued, certificate.serial.bytes()).Run();
}

Result<bool> IsIntended(Connection& connection, const ca::Ticket& ticket) {
  return Query(connection, kIsIntended, ticket.serial().bytes(), ticket.reference(), ticket.key())
      .Next();
}

Result<bool> HasHadIntent(Connection& connection, std::string_view reference) {
  return Query(connection, kHasReference, reference).Next();
}

Status SqlCertificateStore::RecordIntent(const ca::Ticket& ticket, Time now) {
  return database_.Write(
      [&](Connection& connection) { return AddIntent(connection, ticket, process_, now); },
      [&](Connection& connection) { return IsIntended(connection, ticket); }, Isolation::kLocks);
}

Status SqlCertificateStore::RecordCertificate(const ca::Certificate& certificate,
                                                 const IssuerId& issuer) {
  return database_.Write(
      [&](Connection& connection) { return AddCertificate(connection, certificate, issuer); },
      [&](Connection& connection) {
        return Query(connection, kHasDer, certificate.serial.bytes(), certificate.der).Next();
      },
      Isolation::kLocks);
}

Status SqlCertificateStore::Abandon(const IssuerId& issuer, const Serial& serial, Time at) {
  return database_.Write([&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const StatusRow row, LoadStatus(connection, issuer, serial));
    AGENTCA_ASSIGN(const bool pending, GuardAbandoning(row.status.state));
    if (!pending) return {};
    return MarkRevoked(connection, serial, SerialState::kAbandoned, ca::Reason::kUnspecified, at);
  });
}

Status SqlCertificateStore::Revoke(const IssuerId& issuer, const Serial& serial,
                                      ca::Reason reason, Time at) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_ASSIGN(const StatusRow row, LoadStatus(connection, issuer, serial));
        AGENTCA_TRY(GuardRevoking(row.status.state, row.status.revocation.has_value()));
        if (reason == ca::Reason::kKeyCompromise) {
          AGENTCA_TRY(CompromiseKeyOf(connection, row.body));
        }
        return MarkRevoked(connection, serial, row.status.state, reason, at);
      },
      [&](Connection& connection) -> Result<bool> {
        AGENTCA_ASSIGN(const StatusRow row, LoadStatus(connection, issuer, serial));
        const auto& revocation = row.status.revocation;
        return revocation && revocation->at == at && revocation->reason == reason;
      });
}

Result<uint64_t> SqlCertificateStore::NextCrlNumber(const IssuerId& issuer) {
  return database_.Write([&](Connection& connection) -> Result<uint64_t> {
    AGENTCA_ASSIGN(const int64_t id, EnsureIssuer(connection, issuer));
    Query row(connection, kNextCrlNumber, id);
    AGENTCA_ASSIGN(const bool found, row.Next());
    const int64_t number = found ? row.Int(0) : 0;
    if (number <= 0 || !row.intact()) return Damaged("a CRL number");
    AGENTCA_TRY(row.Run());  // a statement with RETURNING acts to the end
    return static_cast<uint64_t>(number);
  });
}

Result<ca::KeyHistory> SqlCertificateStore::HistoryOf(const Sha256Digest& key) {
  return database_.Read([&](Connection& connection) -> Result<ca::KeyHistory> {
    AGENTCA_ASSIGN(const bool compromised, Query(connection, kIsCompromised, key).Next());
    if (compromised) return ca::KeyHistory::kCompromised;
    AGENTCA_ASSIGN(const bool certified, Query(connection, kIsCertified, key).Next());
    return certified ? ca::KeyHistory::kCertified : ca::KeyHistory::kNone;
  });
}

Result<ca::CertStatus> SqlCertificateStore::StatusOf(const IssuerId& issuer,
                                                        const Serial& serial) {
  return database_.Read([&](Connection& connection) -> Result<ca::CertStatus> {
    AGENTCA_ASSIGN(const StatusRow row, LoadStatus(connection, issuer, serial));
    return row.status;
  });
}

}  // namespace agentca::storage
