#include <algorithm>

#include "storage/codec.h"
#include "storage/sql_certificates.h"
#include "storage/sql_cluster.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

constexpr size_t kMaxRows = size_t{1} << 20;  // of one listing

using ca::CertificateFilter;
using ca::CertificateRecord;
using Records = std::vector<CertificateRecord>;

constexpr const char* kBySerial =
    "SELECT * FROM certificate_record WHERE serial = ? AND issuer = ?";
constexpr const char* kByReference =
    "SELECT * FROM certificate_record WHERE reference = ? AND reference <> '' "
    "ORDER BY id DESC LIMIT 1";
// ?1 this process, ?2 whether its own are meant, too, ?3 to ?4 when a lease must end to hold, ?5 at
// most so many.
constexpr const char* kLeftIntents =
    "SELECT r.* FROM certificate_record r JOIN certificate_body b ON b.id = r.id "
    "WHERE r.state = 0 AND "
    "(b.worker IS NULL OR (b.worker = ?1 AND ?2 = 1) OR (b.worker <> ?1 AND NOT EXISTS "
    "(SELECT 1 FROM node n WHERE n.id = b.worker AND n.expires_at > ?3 AND n.expires_at <= ?4))) "
    "ORDER BY r.id LIMIT ?5";

// ?1 rows before this one, ?2 only valid ones, ?3 at this time, ?4 owner or NULL, ?5 at most so
// many, ?6 name.
constexpr const char* kAll =
    "SELECT * FROM certificate_record WHERE id < ?1 AND (CAST(?4 AS TEXT) IS NULL OR owner = ?4) "
    "AND (?2 = 0 OR (state = 1 AND revoked_at IS NULL AND not_after >= ?3)) ORDER BY id DESC "
    "LIMIT ?5";
constexpr const char* kByOwner =
    "SELECT * FROM certificate_record WHERE id < ?1 AND owner = ?4 AND owner <> '' "
    "AND (?2 = 0 OR (state = 1 AND revoked_at IS NULL AND not_after >= ?3)) ORDER BY id DESC "
    "LIMIT ?5";
constexpr const char* kByName =
    "SELECT r.* FROM certificate_name n JOIN certificate_record r ON r.id = n.body "
    "WHERE n.name = ?6 AND n.body < ?1 AND (CAST(?4 AS TEXT) IS NULL OR r.owner = ?4) "
    "AND (?2 = 0 OR (r.state = 1 AND r.revoked_at IS NULL AND r.not_after >= ?3)) "
    "ORDER BY n.body DESC LIMIT ?5";

constexpr const char* kRevokedOf =
    "SELECT serial, revoked_at, reason FROM certificate_status "
    "WHERE issuer = (SELECT id FROM issuer WHERE name = ?) AND revoked_at IS NOT NULL "
    "AND not_after >= ? AND serial > ? ORDER BY serial LIMIT 4096";
constexpr const char* kEvents =
    "SELECT e.sequence, i.name, e.serial FROM revocation_event e "
    "JOIN certificate_status s ON s.serial = e.serial JOIN issuer i ON i.id = s.issuer "
    "WHERE e.sequence > ? ORDER BY e.sequence LIMIT ?";

Result<ca::Serial> ReadSerial(Query& row, int column) {
  auto serial = ca::Serial::FromBytes(row.BlobView(column));
  if (!serial.ok()) return Damaged("a serial number");
  return serial;
}

// Columns of the view certificate_record.
enum Column : int {
  kId,
  kIssuerName,
  kSerial,
  kState,
  kReference,
  kOwner,
  kProfile,
  kDnsNames,
  kIntendedAt,
  kNotAfter,
  kRevokedAt,
  kReason,
  kTbs,
  kDer,
  kTbsOffset,
  kTbsSize
};

// tbs and der as they were stored: see SetDer in sql_certificates.cc.
Status ReadBytes(Query& row, CertificateRecord& record) {
  if (!row.IsNull(kDer)) record.der = row.Blob(kDer);
  if (!row.IsNull(kTbs)) {
    record.tbs = row.Blob(kTbs);
    return {};
  }
  const auto offset = static_cast<size_t>(row.Int(kTbsOffset));
  const auto size = static_cast<size_t>(row.Int(kTbsSize));
  if (offset > record.der.size() || size > record.der.size() - offset) {
    return Damaged("a certificate");
  }
  record.tbs = ToBytes(ByteView(record.der).subspan(offset, size));
  return {};
}

Result<CertificateRecord> ReadRecord(Query& row) {
  AGENTCA_ASSIGN(auto serial, ReadSerial(row, kSerial));
  AGENTCA_ASSIGN(const auto state, SerialStateFromInt(row.Int(kState)));
  AGENTCA_ASSIGN(const auto revocation, ReadRevocation(row, kRevokedAt, kReason));
  CertificateRecord record{.issuer_id = row.Text(kIssuerName),
                           .serial = std::move(serial),
                           .state = state,
                           .tbs = {},
                           .der = {},
                           .reference = row.Text(kReference),
                           .owner = row.Text(kOwner),
                           .profile = row.Text(kProfile),
                           .dns_names = FromLines(row.Text(kDnsNames)),
                           .intended_at = row.At(kIntendedAt),
                           .not_after = row.At(kNotAfter),
                           .revocation = revocation};
  AGENTCA_TRY(ReadBytes(row, record));
  if (!row.intact()) return Damaged("a certificate");
  return record;
}

Result<CertificateRecord> ReadOne(Query& row) {
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return NoSuchCertificate();
  return ReadRecord(row);
}

Result<Records> ReadAll(Query& row) {
  Records records;
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return records;
    AGENTCA_ASSIGN(auto record, ReadRecord(row));
    records.push_back(std::move(record));
  }
}

Result<int64_t> PositionOf(Connection& connection, const std::string& after) {
  if (after.empty()) return INT64_MAX;
  const auto serial = ca::Serial::FromHex(after);
  if (!serial.ok()) return UnknownCursor();
  Query row(connection, "SELECT body FROM certificate_status WHERE serial = ?", serial->bytes());
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return UnknownCursor();
  return row.Int(0);
}

using Entries = std::vector<ca::RevokedEntry>;

Result<Entries> LoadRevoked(Connection& connection, const ca::IssuerId& issuer, Time not_before,
                            const Bytes& after) {
  Entries entries;
  Query row(connection, kRevokedOf, issuer, not_before, after);
  for (;;) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return entries;
    AGENTCA_ASSIGN(auto serial, ReadSerial(row, 0));
    AGENTCA_ASSIGN(const auto revocation, ReadRevocation(row, 1, 2));
    if (!revocation || !row.intact()) return Damaged("a revocation");
    entries.push_back({std::move(serial), *revocation});
  }
}

const char* StatementFor(const CertificateFilter& filter) {
  if (filter.name) return kByName;
  return filter.owner && !filter.owner->empty() ? kByOwner : kAll;
}

}  // namespace

Result<CertificateRecord> SqlCertificateStore::Find(const ca::IssuerId& issuer,
                                                       const ca::Serial& serial) {
  return database_.Read([&](Connection& connection) {
    Query row(connection, kBySerial, serial.bytes(), issuer);
    return ReadOne(row);
  });
}

Result<CertificateRecord> SqlCertificateStore::FindByReference(std::string_view reference) {
  return database_.Read([&](Connection& connection) {
    Query row(connection, kByReference, reference);
    return ReadOne(row);
  });
}

Result<Records> SqlCertificateStore::ListIntents(ca::WorkScope scope, size_t limit) {
  return database_.Read([&](Connection& connection) -> Result<Records> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    Query row(connection, kLeftIntents, process_, scope == ca::WorkScope::kOwnAndDead, time.now,
              time.latest, static_cast<int64_t>(std::min(limit, kMaxRows)));
    return ReadAll(row);
  });
}

Result<Records> SqlCertificateStore::List(const CertificateFilter& filter) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<Records> {
    AGENTCA_ASSIGN(const int64_t position, PositionOf(connection, filter.after));
    Query row(connection, StatementFor(filter), position, filter.only_valid, filter.now,
              filter.owner, static_cast<int64_t>(std::min(filter.limit, kMaxRows)));
    if (filter.name) row.Bind(*filter.name);
    return ReadAll(row);
  });
}

// By pages, each a read of its own: what was revoked before the visit began stays so, hence is in one
// of them, however long the visit takes and whatever becomes of a connection meanwhile.
Status SqlCertificateStore::VisitRevoked(
    const ca::IssuerId& issuer, Time not_before,
    const std::function<bool(const ca::RevokedEntry&)>& visit) {
  Bytes after;
  for (;;) {
    AGENTCA_ASSIGN(const Entries page, database_.Read([&](Connection& connection) {
      return LoadRevoked(connection, issuer, not_before, after);
    }));
    if (page.empty()) return {};
    for (const ca::RevokedEntry& each : page)
      if (!visit(each)) return {};
    after = page.back().serial.bytes();
  }
}

Result<std::vector<ca::RevocationEvent>> SqlCertificateStore::RevocationsSince(int64_t after,
                                                                                  size_t limit) {
  using Events = std::vector<ca::RevocationEvent>;
  return database_.Read([&](Connection& connection) -> Result<Events> {
    Events events;
    Query row(connection, kEvents, after, static_cast<int64_t>(limit));
    for (;;) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      if (!found) return events;
      AGENTCA_ASSIGN(auto serial, ReadSerial(row, 2));
      events.push_back({row.Int(0), row.Text(1), std::move(serial)});
      if (!row.intact()) return Damaged("a revocation");
    }
  });
}

Result<int64_t> SqlCertificateStore::LastRevocationSequence() {
  return database_.Read([&](Connection& connection) -> Result<int64_t> {
    Query row(connection, "SELECT coalesce(max(sequence), 0) FROM revocation_event");
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found || !row.intact()) return Damaged("the revocations");
    return row.Int(0);
  });
}

}  // namespace agentca::storage
