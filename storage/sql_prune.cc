#include "storage/attestation_codec.h"
#include "storage/codec.h"
#include "storage/sql_maintenance.h"

namespace agentca::storage {
namespace {

// Rows of one transaction: it must not be in the way of those that issue.
constexpr int kPage = 100;

// Each statement walks an index from the cursor on, so that what stays is looked at once.

// An order that is being finalized is somebody's work, whatever its age.
constexpr const char* kOrders =
    "SELECT expires_at, id, authorizations, "
    "CASE WHEN finalizing = 0 OR certificate IS NOT NULL OR error IS NOT NULL THEN 1 ELSE 0 END "
    "FROM acme_order WHERE (expires_at, id) > (?1, ?2) AND expires_at < ?3 "
    "ORDER BY expires_at, id LIMIT ?4";
constexpr const char* kIsAlive =
    "SELECT 1 FROM acme_authorization WHERE id = ? AND expires_at >= ?";

// An account that was made with a grant is bound to the agent by it for as long as it lives.
constexpr const char* kGrants =
    "SELECT g.expires_at, g.key_id, CASE WHEN g.account IS NULL OR NOT EXISTS "
    "(SELECT 1 FROM acme_account a WHERE a.id = g.account AND a.status = 0) THEN 1 ELSE 0 END "
    "FROM acme_grant g WHERE (g.expires_at, g.key_id) > (?1, ?2) AND g.expires_at < ?3 "
    "ORDER BY g.expires_at, g.key_id LIMIT ?4";

constexpr const char* kCertificates =
    "SELECT s.not_after, s.serial, s.body, b.dns_names, CASE WHEN EXISTS "
    "(SELECT 1 FROM acme_order o WHERE o.certificate = s.serial) THEN 0 ELSE 1 END "
    "FROM certificate_status s LEFT JOIN certificate_body b ON b.id = s.body "
    "AND b.serial = s.serial "
    "WHERE s.state <> 0 AND (s.not_after, s.serial) > (?1, ?2) AND s.not_after < ?3 "
    "ORDER BY s.not_after, s.serial LIMIT ?4";

// Of serials that are forgotten, or that were revoked long ago: every watcher has seen them.
constexpr const char* kEvents =
    "SELECT e.sequence, s.revoked_at FROM revocation_event e "
    "LEFT JOIN certificate_status s ON s.serial = e.serial "
    "WHERE e.sequence > ?1 AND e.sequence < (SELECT max(sequence) FROM revocation_event) "
    "ORDER BY e.sequence LIMIT ?2";

constexpr const char* kAttestations =
    "SELECT a.id, CASE WHEN EXISTS (SELECT 1 FROM acme_grant g WHERE g.key_id = a.reference) "
    "THEN 0 ELSE 1 END, a.attestation FROM attestation a WHERE a.id > ?1 AND a.id < ?2 ORDER BY "
    "a.id LIMIT ?3";

// One row of a page that may go.
struct Candidate {
  int64_t at;
  Bytes key;
  std::vector<std::string> lines;  // authorizations or names
  int64_t body = 0;
};

struct Page {
  std::vector<Candidate> deletable;
  PruneStep step;
};

ByteView Octets(const std::string& text) { return AsBytes(text); }
std::string Words(const Bytes& octets) { return std::string(AsText(octets)); }

Result<bool> MayGo(Connection& connection, const Candidate& order, Time before) {
  for (const std::string& id : order.lines) {
    AGENTCA_ASSIGN(const bool alive, Query(connection, kIsAlive, id, before).Next());
    if (alive) return false;
  }
  return true;
}

Result<Page> FindOrders(Connection& connection, const PruneCursor& from, Time before) {
  Page page;
  std::vector<Candidate> settled;
  {
    Query row(connection, kOrders, from.at, Words(from.key), before, kPage);
    for (int seen = 0;; ++seen) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      page.step.more = seen == kPage;
      if (!found) break;
      page.step.next = {row.Int(0), ToBytes(Octets(row.Text(1)))};
      if (row.Flag(3)) settled.push_back({row.Int(0), page.step.next.key, FromLines(row.Text(2))});
      if (!row.intact()) return Damaged("an order");
    }
  }
  for (Candidate& order : settled) {
    AGENTCA_ASSIGN(const bool gone, MayGo(connection, order, before));
    if (gone) page.deletable.push_back(std::move(order));
  }
  return page;
}

Result<Page> FindGrants(Connection& connection, const PruneCursor& from, Time before) {
  Page page;
  Query row(connection, kGrants, from.at, Words(from.key), before, kPage);
  for (int seen = 0;; ++seen) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    page.step.more = seen == kPage;
    if (!found) return page;
    page.step.next = {row.Int(0), ToBytes(Octets(row.Text(1)))};
    if (row.Flag(2)) page.deletable.push_back({row.Int(0), page.step.next.key, {}});
    if (!row.intact()) return Damaged("a grant");
  }
}

Result<Page> FindCertificates(Connection& connection, const PruneCursor& from, Time before) {
  Page page;
  Query row(connection, kCertificates, from.at, from.key, before, kPage);
  for (int seen = 0;; ++seen) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    page.step.more = seen == kPage;
    if (!found) return page;
    page.step.next = {row.Int(0), row.Blob(1)};
    if (row.Flag(4))
      page.deletable.push_back(
          {row.Int(0), row.Blob(1), FromLines(row.OptionalText(3).value_or("")), row.Int(2)});
    if (!row.intact()) return Damaged("a certificate");
  }
}

Result<Page> FindRevocations(Connection& connection, const PruneCursor& from, Time before) {
  Page page;
  Query row(connection, kEvents, from.at, kPage);
  for (int seen = 0;; ++seen) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    page.step.more = seen == kPage;
    if (!found) return page;
    const auto revoked_at = row.OptionalAt(1);
    if (!row.intact()) return Damaged("a revocation");
    if (revoked_at && *revoked_at >= before) {  // what follows stays, too: no gaps
      page.step.more = false;
      return page;
    }
    page.step.next.at = row.Int(0);
    page.deletable.push_back({row.Int(0), {}, {}});
  }
}

Result<Page> FindAttestations(Connection& connection, const PruneCursor& from, Time before) {
  const int64_t end = FirstRowIdOf(before);
  Page page;
  Query row(connection, kAttestations, from.at, end, kPage);
  for (int seen = 0;; ++seen) {
    AGENTCA_ASSIGN(const bool found, row.Next());
    page.step.more = seen == kPage;
    if (!found) return page;
    page.step.next.at = row.Int(0);
    // Ids of programs before schema 5 do not tell the time.
    AGENTCA_ASSIGN(const acme::Attestation attestation, AttestationFromJson(row.Text(2)));
    if (row.Flag(1) && attestation.verified_at < before)
      page.deletable.push_back({row.Int(0), {}, {}});
    if (!row.intact()) return Damaged("an attestation");
  }
}

Status Delete(Connection& connection, Prunable what, const Candidate& row) {
  switch (what) {
    case Prunable::kOrders: {
      const std::string id = Words(row.key);
      for (const std::string& each : row.lines)
        AGENTCA_TRY(Query(connection, "DELETE FROM acme_authorization WHERE id = ?", each).Run());
      AGENTCA_TRY(Query(connection, "DELETE FROM acme_approval WHERE order_id = ?", id).Run());
      return Query(connection, "DELETE FROM acme_order WHERE id = ?", id).Run();
    }
    case Prunable::kGrants: {
      return Query(connection, "DELETE FROM acme_grant WHERE key_id = ?", Words(row.key)).Run();
    }
    case Prunable::kCertificates:
      for (const std::string& name : row.lines)
        AGENTCA_TRY(Query(connection, "DELETE FROM certificate_name WHERE name = ? AND body = ?",
                          name, row.body)
                        .Run());
      AGENTCA_TRY(Query(connection, "DELETE FROM certificate_body WHERE id = ? AND serial = ?",
                        row.body, row.key)
                      .Run());
      return Query(connection, "DELETE FROM certificate_status WHERE serial = ?", row.key).Run();
    case Prunable::kRevocations:
      return Query(connection, "DELETE FROM revocation_event WHERE sequence = ?", row.at).Run();
    case Prunable::kAttestations:
      break;
  }
  return Query(connection, "DELETE FROM attestation WHERE id = ?", row.at).Run();
}

Result<Page> Find(Connection& connection, Prunable what, const PruneCursor& from, Time before) {
  switch (what) {
    case Prunable::kOrders:
      return FindOrders(connection, from, before);
    case Prunable::kGrants:
      return FindGrants(connection, from, before);
    case Prunable::kCertificates:
      return FindCertificates(connection, from, before);
    case Prunable::kRevocations:
      return FindRevocations(connection, from, before);
    case Prunable::kAttestations:
      break;
  }
  return FindAttestations(connection, from, before);
}

}  // namespace

std::string_view ToString(Prunable what) {
  switch (what) {
    case Prunable::kOrders:
      return "orders";
    case Prunable::kGrants:
      return "grants";
    case Prunable::kCertificates:
      return "certificates";
    case Prunable::kRevocations:
      return "revocation events";
    case Prunable::kAttestations:
      break;
  }
  return "attestations";
}

Result<PruneStep> SqlMaintenance::Prune(Prunable what, Time before, const PruneCursor& from,
                                        bool dry_run) {
  const auto step = [&](Connection& connection) -> Result<PruneStep> {
    AGENTCA_ASSIGN(Page page, Find(connection, what, from, before));
    page.step.deleted = page.deletable.size();
    if (dry_run) return page.step;
    for (const Candidate& row : page.deletable) AGENTCA_TRY(Delete(connection, what, row));
    return page.step;
  };
  return dry_run ? database_.ReadSnapshot(step) : database_.Write(step);
}

}  // namespace agentca::storage
