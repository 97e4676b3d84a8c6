#include "storage/sql_check_rows.h"

#include <algorithm>

#include "storage/codec.h"
#include "storage/sql_certificates.h"

namespace agentca::storage {
namespace {

// A driver may hold all rows of a statement in memory, hence the pages.
constexpr const char* kStatuses =
    "SELECT s.serial, s.body, s.state, s.not_after, s.revoked_at, s.reason, i.name, b.serial, "
    "b.dns_names, b.tbs, b.der, b.tbs_offset, b.tbs_size "
    "FROM certificate_status s LEFT JOIN issuer i ON i.id = s.issuer "
    "LEFT JOIN certificate_body b ON b.id = s.body WHERE s.serial > ? ORDER BY s.serial LIMIT 256";
constexpr const char* kName = "SELECT 1 FROM certificate_name WHERE name = ? AND body = ?";
constexpr const char* kLostBodies =
    "SELECT b.id FROM certificate_body b WHERE NOT EXISTS "
    "(SELECT 1 FROM certificate_status s WHERE s.serial = b.serial AND s.body = b.id) ORDER BY "
    "b.id";
constexpr const char* kLostNames =
    "SELECT n.name, n.body FROM certificate_name n WHERE NOT EXISTS "
    "(SELECT 1 FROM certificate_body b WHERE b.id = n.body) ORDER BY n.name, n.body";
// Events were perhaps pruned, from the first on. A revocation before the oldest that has one, by
// more than the clocks of nodes may differ, needs none.
constexpr const char* kWithoutEvent =
    "SELECT serial FROM certificate_status WHERE revoked_at > ? "
    "EXCEPT SELECT serial FROM revocation_event";
constexpr const char* kFirstEvent =
    "SELECT e.sequence, s.revoked_at FROM revocation_event e "
    "LEFT JOIN certificate_status s ON s.serial = e.serial ORDER BY e.sequence LIMIT 1";
constexpr const char* kEvents =
    "SELECT count(*), coalesce(min(sequence), 0), coalesce(max(sequence), 0) "
    "FROM revocation_event";
constexpr Seconds kClocksDiffer{24 * 3600};
constexpr const char* kBehind =
    "SELECT d.name, d.version, coalesce(n.number, 0) FROM document d "
    "LEFT JOIN issuer i ON d.name = 'crl/' || i.name LEFT JOIN crl_number n ON n.issuer = i.id "
    "WHERE d.name LIKE 'crl/%' AND coalesce(n.number, 0) < d.version ORDER BY d.name";

enum Column : int {
  kSerial,
  kBody,
  kState,
  kNotAfter,
  kRevokedAt,
  kReason,
  kIssuerName,
  kBodySerial,
  kDnsNames,
  kTbs,
  kDer,
  kTbsOffset,
  kTbsSize
};

struct Names {
  std::string serial;
  int64_t body;
  std::vector<std::string> names;
};

// What is wrong with the bytes of one certificate; "" when nothing is.
std::string FaultOfBytes(Query& row, const Bytes& serial, bool issued) {
  if (row.IsNull(kDer)) {
    if (issued) return "it was issued, but its certificate is not there";
    return row.IsNull(kTbs) ? "its intended bytes are not there" : "";
  }
  const Bytes der = row.Blob(kDer);
  if (row.IsNull(kTbs)) {
    const int64_t offset = row.Int(kTbsOffset);
    const int64_t size = row.Int(kTbsSize);
    const auto whole = static_cast<int64_t>(der.size());
    if (offset < 0 || size <= 0 || offset > whole || size > whole - offset)
      return "its intended bytes are not where they should be";
  }
  if (!issued) return "";
  const auto certificate = ca::Certificate::Parse(der);
  if (!certificate.ok()) return "its certificate does not parse";
  if (certificate->serial.bytes() != serial) return "its certificate has another serial number";
  if (certificate->not_after != row.At(kNotAfter)) return "its certificate expires at another time";
  return "";
}

std::string FaultOfRow(Query& row, const Bytes& serial) {
  const auto state = SerialStateFromInt(row.Int(kState));
  if (!state.ok()) return "a state that is out of range";
  if (row.IsNull(kIssuerName)) return "an issuer that is not there";
  if (row.IsNull(kBodySerial)) return "its body is not there";
  if (row.Blob(kBodySerial) != serial) return "its body is of another serial number";
  const bool revoked = !row.IsNull(kRevokedAt);
  if (revoked && !ca::ReasonFromInt(row.Int(kReason)).ok()) return "a reason that is none";
  if (*state == ca::SerialState::kAbandoned && !revoked) return "it was abandoned, but not revoked";
  if (*state == ca::SerialState::kIntent && revoked) return "it is an intent, but revoked";
  return FaultOfBytes(row, serial, *state == ca::SerialState::kIssued);
}

std::string FaultOf(Query& row, const Bytes& serial) {
  std::string fault = FaultOfRow(row, serial);
  if (!row.TakeIntact() && fault.empty()) fault = "a column that is not of its type";
  return fault;
}

// False: there are no more.
Result<bool> CheckPage(Connection& connection, Bytes& after, const FoundFault& found) {
  std::vector<Names> listed;
  {
    Query row(connection, kStatuses, after);
    bool any = false;
    for (;; any = true) {
      AGENTCA_ASSIGN(const bool more, row.Next());
      if (!more) break;
      after = row.Blob(kSerial);
      const std::string serial = ToHex(after);
      if (const std::string fault = FaultOf(row, after); !fault.empty())
        found({"certificate_status", serial, fault});
      listed.push_back(
          {serial, row.Int(kBody), FromLines(row.OptionalText(kDnsNames).value_or(""))});
    }
    if (!any) return false;
  }
  for (const Names& each : listed)
    for (const std::string& name : each.names) {
      AGENTCA_ASSIGN(const bool there, Query(connection, kName, name, each.body).Next());
      if (!there)
        found({"certificate_name", each.serial, "it cannot be found by its name " + name});
    }
  return true;
}

}  // namespace

Status CheckCertificates(Connection& connection, const FoundFault& found) {
  Bytes after;
  for (bool more = true; more;) {
    AGENTCA_ASSIGN(more, CheckPage(connection, after, found));
  }
  Query body(connection, kLostBodies);
  for (;;) {
    AGENTCA_ASSIGN(const bool more, body.Next());
    if (!more) break;
    found({"certificate_body", std::to_string(body.Int(0)), "it belongs to no serial number"});
  }
  Query name(connection, kLostNames);
  for (;;) {
    AGENTCA_ASSIGN(const bool more, name.Next());
    if (!more) return {};
    found({"certificate_name", name.Text(0), "it belongs to no certificate"});
  }
}

Status CheckRevocations(Connection& connection, const FoundFault& found) {
  int64_t since = INT64_MIN;  // by which time events are there
  {
    Query first(connection, kFirstEvent);
    AGENTCA_ASSIGN(const bool any, first.Next());
    if (any && first.Int(0) > 1) {
      const auto revoked_at = first.OptionalAt(1);
      since = revoked_at ? (*revoked_at + kClocksDiffer).time_since_epoch().count() : INT64_MAX;
    }
  }
  {
    Query events(connection, kEvents);
    AGENTCA_ASSIGN(const bool any, events.Next());
    if (!any || !events.intact()) return Damaged("the revocations");
    const int64_t count = events.Int(0);
    const bool whole =
        count == 0 || (events.Int(1) > 0 && events.Int(2) - events.Int(1) + 1 == count);
    if (!whole) found({"revocation_event", "", "there are gaps between its sequence numbers"});
  }
  Query row(connection, kWithoutEvent, since);
  for (;;) {
    AGENTCA_ASSIGN(const bool more, row.Next());
    if (!more) return {};
    found({"certificate_status", ToHex(row.BlobView(0)),
           "it is revoked, but there is no event that tells the nodes"});
  }
}

Status CheckCounters(Connection& connection, const FoundFault& found) {
  Query row(connection, kBehind);
  for (;;) {
    AGENTCA_ASSIGN(const bool more, row.Next());
    if (!more) return {};
    found({"crl_number", row.Text(0),
           "its counter is at " + std::to_string(row.Int(2)) + ", but list " +
               std::to_string(row.Int(1)) + " was published"});
  }
}

}  // namespace agentca::storage
