#include "storage/sql_cluster.h"

#include <algorithm>

#include "storage/codec.h"
#include "storage/transitions.h"

namespace agentca::storage {
namespace {

using std::chrono::milliseconds;

// Rows of nodes that never came back; a day, lest a glitch of the clock drops those that live.
constexpr int64_t kForgetAfter = int64_t{24} * 3600 * 1000;

constexpr const char* kFreeDuties =
    "DELETE FROM duty WHERE holder IN (SELECT id FROM node WHERE name = ? AND id <> ?)";
constexpr const char* kForgetEarlier = "DELETE FROM node WHERE name = ? AND id <> ?";
constexpr const char* kForgetLost = "DELETE FROM node WHERE expires_at < ?";
constexpr const char* kBeat =
    "INSERT INTO node (id, name, expires_at) VALUES (?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at";
constexpr const char* kIsLive =
    "SELECT 1 FROM node WHERE id = ? AND expires_at > ? AND expires_at <= ?";
constexpr const char* kHolder = "SELECT holder, expires_at FROM duty WHERE name = ?";
constexpr const char* kTakeDuty = "INSERT INTO duty (name, holder, expires_at) VALUES (?, ?, ?)";
constexpr const char* kRenewDuty = "UPDATE duty SET holder = ?, expires_at = ? WHERE name = ?";

constexpr const char* kVersion = "SELECT version FROM document WHERE name = ?";
constexpr const char* kDocument = "SELECT version, content FROM document WHERE name = ?";
constexpr const char* kIsDocument =
    "SELECT 1 FROM document WHERE name = ? AND version = ? AND content = ?";
constexpr const char* kFirstVersion =
    "INSERT INTO document (name, version, content) VALUES (?, ?, ?)";
constexpr const char* kNextVersion =
    "UPDATE document SET version = ?, content = ? WHERE name = ?";

int64_t EndOf(const LeaseTime& time, milliseconds life) {
  return time.now + std::min(life, ca::kLongestLease).count();
}

Result<int64_t> LoadVersion(Connection& connection, std::string_view name) {
  Query row(connection, kVersion, name);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return 0;
  const int64_t version = row.Int(0);
  if (!row.intact() || version <= 0) return Damaged("a shared document");
  return version;
}

}  // namespace

Result<LeaseTime> ReadLeaseTime(Connection& connection) {
  Query row(connection, connection.clock_sql());
  AGENTCA_ASSIGN(const bool found, row.Next());
  const int64_t now = found ? row.Int(0) : 0;
  if (now <= 0 || !row.intact()) return Error{Code::kInternal, "the database has no clock"};
  return LeaseTime{now, now + ca::kLongestLease.count()};
}

Result<bool> IsDead(Connection& connection, const std::optional<std::string>& worker,
                    const LeaseTime& time) {
  if (!worker) return true;
  Query row(connection, kIsLive, *worker, time.now, time.latest);
  AGENTCA_ASSIGN(const bool live, row.Next());
  return !live;
}

Status SqlLeases::BeatWithin(Connection& connection, milliseconds life) {
  AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
  return Query(connection, kBeat, process_, node_, EndOf(time, life)).Run();
}

Status SqlLeases::Enter(milliseconds life) {
  return database_.Write([&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    if (!node_.empty()) {
      AGENTCA_TRY(Query(connection, kFreeDuties, node_, process_).Run());
      AGENTCA_TRY(Query(connection, kForgetEarlier, node_, process_).Run());
    }
    AGENTCA_TRY(Query(connection, kForgetLost, time.now - kForgetAfter).Run());
    return BeatWithin(connection, life);
  });
}

Status SqlLeases::Beat(milliseconds life) {
  return database_.Write([&](Connection& connection) { return BeatWithin(connection, life); });
}

Status SqlLeases::Leave() {
  return database_.Write([&](Connection& connection) -> Status {
    AGENTCA_TRY(Query(connection, "DELETE FROM duty WHERE holder = ?", process_).Run());
    return Query(connection, "DELETE FROM node WHERE id = ?", process_).Run();
  });
}

Result<bool> SqlLeases::Hold(std::string_view duty, milliseconds life) {
  return database_.Write([&](Connection& connection) -> Result<bool> {
    AGENTCA_ASSIGN(const LeaseTime time, ReadLeaseTime(connection));
    const int64_t end = EndOf(time, life);
    bool taken = false;
    {
      Query row(connection, kHolder, duty);
      AGENTCA_ASSIGN(taken, row.Next());
      if (taken) {
        const int64_t expires_at = row.Int(1);
        const bool lapsed = expires_at <= time.now || expires_at > time.latest;
        const bool ours = row.Text(0) == process_;
        if (!row.intact()) return Damaged("a duty");
        if (!lapsed && !ours) return false;
      }
    }
    AGENTCA_TRY(taken ? Query(connection, kRenewDuty, process_, end, duty).Run()
                      : Query(connection, kTakeDuty, duty, process_, end).Run());
    return true;
  });
}

Status SqlLeases::Release(std::string_view duty) {
  return database_.Write([&](Connection& connection) {
    return Query(connection, "DELETE FROM duty WHERE name = ? AND holder = ?", duty, process_)
        .Run();
  });
}

Status SqlDocuments::Put(std::string_view name, int64_t replaces, const ca::SharedDocument& next) {
  return database_.Write(
      [&](Connection& connection) -> Status {
        AGENTCA_ASSIGN(const int64_t present, LoadVersion(connection, name));
        AGENTCA_TRY(GuardReplacement(present, replaces, next.version));
        return present == 0
                   ? Query(connection, kFirstVersion, name, next.version, next.content).Run()
                   : Query(connection, kNextVersion, next.version, next.content, name).Run();
      },
      [&](Connection& connection) {
        return Query(connection, kIsDocument, name, next.version, next.content).Next();
      });
}

Result<ca::SharedDocument> SqlDocuments::Get(std::string_view name) {
  return database_.Read([&](Connection& connection) -> Result<ca::SharedDocument> {
    Query row(connection, kDocument, name);
    AGENTCA_ASSIGN(const bool found, row.Next());
    if (!found) return NoSuchDocument();
    ca::SharedDocument document{row.Int(0), row.Blob(1)};
    if (!row.intact() || document.version <= 0) return Damaged("a shared document");
    return document;
  });
}

Result<int64_t> SqlDocuments::VersionOf(std::string_view name) {
  return database_.Read([&](Connection& connection) { return LoadVersion(connection, name); });
}

}  // namespace agentca::storage
