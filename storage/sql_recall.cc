#include "storage/codec.h"
#include "storage/sql_certificates.h"
#include "storage/sql_maintenance.h"

namespace agentca::storage {
namespace {

// Nothing is known of its bytes.
constexpr const char* kInsertBody =
    "INSERT INTO certificate_body (id, serial, reference, owner, profile, dns_names, intended_at, "
    "tbs) VALUES (?, ?, '', '', '', '', ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id";
constexpr const char* kInsertStatus =
    "INSERT INTO certificate_status (serial, issuer, body, state, not_after) "
    "VALUES (?, ?, ?, 2, ?)";
constexpr const char* kIsKnown = "SELECT 1 FROM certificate_status WHERE serial = ?";
constexpr const char* kCrlNumber =
    "SELECT n.number FROM crl_number n JOIN issuer i ON i.id = n.issuer WHERE i.name = ?";
constexpr const char* kRaise =
    "INSERT INTO crl_number (issuer, number) VALUES (?1, ?2) "
    "ON CONFLICT (issuer) DO UPDATE SET number = ?2 WHERE crl_number.number < ?2";

Result<int64_t> InsertBody(Connection& connection, const Recollection& lost) {
  for (;;) {
    const int64_t id = NewRowId();
    Query row(connection, kInsertBody, id, lost.serial.bytes(), lost.signed_at, Bytes());
    AGENTCA_ASSIGN(const bool inserted, row.Next());
    if (!inserted) continue;
    AGENTCA_TRY(row.Run());  // a statement with RETURNING acts to the end
    return id;
  }
}

Status AddAbandoned(Connection& connection, const Recollection& lost,
                    const ca::Revocation& revocation) {
  AGENTCA_ASSIGN(const int64_t issuer, EnsureIssuer(connection, lost.issuer));
  AGENTCA_ASSIGN(const int64_t body, InsertBody(connection, lost));
  AGENTCA_TRY(
      Query(connection, kInsertStatus, lost.serial.bytes(), issuer, body, lost.not_after).Run());
  return MarkRevoked(connection, lost.serial, ca::SerialState::kAbandoned, revocation.reason,
                     revocation.at);
}

Status RevokeKnown(Connection& connection, const ca::Serial& serial, const StatusRow& row,
                   const ca::Revocation& revocation) {
  if (revocation.reason == ca::Reason::kKeyCompromise)
    AGENTCA_TRY(CompromiseKeyOf(connection, row.body));
  const auto state =
      row.status.state == ca::SerialState::kIntent ? ca::SerialState::kAbandoned : row.status.state;
  return MarkRevoked(connection, serial, state, revocation.reason, revocation.at);
}

Result<Mending> RecallWithin(Connection& connection, const Recollection& lost, Time now,
                             bool dry_run) {
  const auto row = LoadStatus(connection, lost.issuer, lost.serial);
  if (!row.ok()) {
    if (row.error().code != Code::kNotFound) return row.error();
    if (!dry_run)
      AGENTCA_TRY(
          AddAbandoned(connection, lost,
                       lost.revocation.value_or(ca::Revocation{now, ca::Reason::kUnspecified})));
    return Mending::kAdded;
  }
  if (!lost.revocation || row->status.revocation) return Mending::kNone;
  if (!dry_run) AGENTCA_TRY(RevokeKnown(connection, lost.serial, *row, *lost.revocation));
  return Mending::kRevoked;
}

}  // namespace

Result<std::vector<ca::Serial>> SqlMaintenance::UnknownOf(const std::vector<ca::Serial>& serials) {
  using Serials = std::vector<ca::Serial>;
  return database_.Read([&](Connection& connection) -> Result<Serials> {
    Serials unknown;
    for (const ca::Serial& serial : serials) {
      AGENTCA_ASSIGN(const bool known, Query(connection, kIsKnown, serial.bytes()).Next());
      if (!known) unknown.push_back(serial);
    }
    return unknown;
  });
}

Result<Mending> SqlMaintenance::Recall(const Recollection& recollection, Time now, bool dry_run) {
  const auto recall = [&](Connection& connection) {
    return RecallWithin(connection, recollection, now, dry_run);
  };
  return dry_run ? database_.Read(recall) : database_.Write(recall);
}

Result<uint64_t> SqlMaintenance::CrlNumberOf(const ca::IssuerId& issuer) {
  return database_.Read([&](Connection& connection) -> Result<uint64_t> {
    Query row(connection, kCrlNumber, issuer);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return uint64_t{0};
    const int64_t number = row.Int(0);
    if (number <= 0 || !row.intact()) return Damaged("a CRL number");
    return static_cast<uint64_t>(number);
  });
}

Status SqlMaintenance::RaiseCrlNumber(const ca::IssuerId& issuer, uint64_t at_least) {
  if (at_least > static_cast<uint64_t>(INT64_MAX) - 1)
    return Error{Code::kMalformed, "a CRL number that is out of all bounds"};
  return database_.Write([&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const int64_t id, EnsureIssuer(connection, issuer));
    return Query(connection, kRaise, id, static_cast<int64_t>(at_least)).Run();
  });
}

}  // namespace agentca::storage
