#include <iostream>
#include <map>
#include <set>

#include "acme/cli/commands.h"
#include "acme/cli/files.h"
#include "acme/cli/hierarchy.h"
#include "acme/cli/open_store.h"
#include "acme/cli/recollections.h"
#include "acme/json.h"
#include "ca/audit.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;
using storage::Mending;

struct Raised {
  ca::IssuerId issuer;
  uint64_t from, to;
};
struct Mended {
  std::vector<ca::Serial> added, revoked;
  std::vector<Raised> numbers;
};

// One run: what the files know is collected, and then told to the store. It is audited before it is
// done, as every revocation.
class Reconciliation {
 public:
  struct Parts {
    const Config& config;
    const Hierarchy& hierarchy;
    storage::Maintenance& store;
    ca::ChainedLog* audit;  // null: a dry run
    Time now;
  };
  explicit Reconciliation(Parts parts) : parts_(parts) {}

  Status AddList(const fs::path& file);
  Status AddAuditLog(const fs::path& file);
  Status MendSerials(const fs::path& usage_log);
  Status MendRest();
  const Mended& mended() const { return mended_; }

 private:
  Status Recall(const storage::Recollection& lost);
  Status MendBatch(std::vector<SignedSerial>& batch);
  Time EndOf(const ca::IssuerId& issuer) const;

  const Parts parts_;
  std::map<ca::Serial, RecalledRevocation> revocations_;
  std::map<ca::IssuerId, uint64_t> numbers_;  // of the newest list seen
  Mended mended_;
};

Status Reconciliation::AddList(const fs::path& file) {
  AGENTCA_ASSIGN(const RecalledList list,
                 VisitPublishedList(file, parts_.hierarchy,
                                    [&](const RecalledRevocation& revocation) -> Status {
                                      revocations_.emplace(revocation.entry.serial, revocation);
                                      return {};
                                    }));
  uint64_t& number = numbers_[list.issuer];
  number = std::max(number, list.summary.number);
  return {};
}

// Of what a list names already, the list has the last word.
Status Reconciliation::AddAuditLog(const fs::path& file) {
  return VisitAuditedRevocations(file, [&](const RecalledRevocation& revocation) -> Status {
    const Hierarchy& hierarchy = parts_.hierarchy;
    if (revocation.issuer == hierarchy.issuing.info.id ||
        revocation.issuer == hierarchy.root.info.id)
      revocations_.emplace(revocation.entry.serial, revocation);
    return {};
  });
}

Time Reconciliation::EndOf(const ca::IssuerId& issuer) const {
  const Hierarchy& hierarchy = parts_.hierarchy;
  return (issuer == hierarchy.root.info.id ? hierarchy.root : hierarchy.issuing)
      .certificate.not_after;
}

Status Reconciliation::Recall(const storage::Recollection& lost) {
  AGENTCA_ASSIGN(const Mending need, parts_.store.Recall(lost, parts_.now, true));
  if (need == Mending::kNone) return {};
  (need == Mending::kAdded ? mended_.added : mended_.revoked).push_back(lost.serial);
  if (parts_.audit == nullptr) return {};
  const ca::Revocation revocation =
      lost.revocation.value_or(ca::Revocation{parts_.now, ca::Reason::kUnspecified});
  AGENTCA_TRY(
      parts_.audit->Append(need == Mending::kAdded ? "reconcile-abandon" : "reconcile-revoke",
                           {{"issuer", lost.issuer},
                            {"serial", lost.serial.ToString()},
                            {"reason", ca::ToString(revocation.reason)},
                            {"revoked_at", ToRfc3339(revocation.at)}},
                           parts_.now));
  AGENTCA_TRY(parts_.store.Recall(lost, parts_.now, false));
  return {};
}

Status Reconciliation::MendBatch(std::vector<SignedSerial>& batch) {
  std::vector<ca::Serial> serials;
  for (const SignedSerial& use : batch) serials.push_back(use.serial);
  AGENTCA_ASSIGN(const auto unknown, parts_.store.UnknownOf(serials));
  const std::set<ca::Serial> lost(unknown.begin(), unknown.end());
  for (const SignedSerial& use : batch) {
    if (!lost.contains(use.serial)) continue;
    // Whether it was lost or pruned: no list names it any more.
    if (use.not_after && *use.not_after < parts_.now - parts_.config.crl.keep_expired) {
      revocations_.erase(use.serial);
      continue;
    }
    storage::Recollection recollection{.issuer = use.issuer,
                                       .serial = use.serial,
                                       .signed_at = use.signed_at,
                                       .not_after = use.not_after.value_or(EndOf(use.issuer)),
                                       .revocation = {}};
    const auto revoked = revocations_.find(use.serial);
    if (revoked != revocations_.end()) recollection.revocation = revoked->second.entry.revocation;
    AGENTCA_TRY(Recall(recollection));
  }
  batch.clear();
  return {};
}

Status Reconciliation::MendSerials(const fs::path& usage_log) {
  constexpr size_t kBatch = 256;
  std::vector<SignedSerial> batch;
  AGENTCA_TRY(VisitKeyUsage(usage_log, parts_.hierarchy, [&](const SignedSerial& use) -> Status {
    batch.push_back(use);
    return batch.size() < kBatch ? Status() : MendBatch(batch);
  }));
  return MendBatch(batch);
}

Status Reconciliation::MendRest() {
  for (const auto& [serial, revocation] : revocations_) {
    AGENTCA_TRY(Recall({.issuer = revocation.issuer,
                        .serial = serial,
                        .signed_at = revocation.entry.revocation.at,
                        .not_after = EndOf(revocation.issuer),
                        .revocation = revocation.entry.revocation}));
  }
  for (const auto& [issuer, number] : numbers_) {
    AGENTCA_ASSIGN(const uint64_t counter, parts_.store.CrlNumberOf(issuer));
    if (counter >= number) continue;
    mended_.numbers.push_back({issuer, counter, number});
    if (parts_.audit == nullptr) continue;
    AGENTCA_TRY(parts_.audit->Append(
        "reconcile-crl-number",
        {{"issuer", issuer}, {"from", std::to_string(counter)}, {"to", std::to_string(number)}},
        parts_.now));
    AGENTCA_TRY(parts_.store.RaiseCrlNumber(issuer, number));
  }
  return {};
}

// Those of this node, as far as they are there, and those that were named, which must be.
Status VisitFiles(const Settings& settings, std::string_view option,
                  const std::vector<fs::path>& own,
                  const std::function<Status(const fs::path&)>& f) {
  for (const fs::path& file : own) {
    std::error_code error;
    if (fs::exists(file, error)) AGENTCA_TRY(f(file));
  }
  for (const std::string& file : settings.List(option)) AGENTCA_TRY(f(file));
  return {};
}

Status Reconcile(const Settings& settings, const Config& config, const Hierarchy& hierarchy,
                 Reconciliation& run) {
  const Directory& directory = config.directory;
  AGENTCA_TRY(
      VisitFiles(settings, "crl",
                 {directory.Crl(hierarchy.root.info.id), directory.Crl(hierarchy.issuing.info.id)},
                 [&](const fs::path& file) { return run.AddList(file); }));
  AGENTCA_TRY(VisitFiles(settings, "audit-log",
                         {directory.AuditLog(), directory.OperatorAuditLog()},
                         [&](const fs::path& file) { return run.AddAuditLog(file); }));
  AGENTCA_TRY(VisitFiles(settings, "usage-log", {directory.KeyUsageLog()},
                         [&](const fs::path& file) { return run.MendSerials(file); }));
  return run.MendRest();
}

void PrintJson(const Mended& mended, bool dry_run) {
  acme::JsonWriter json;
  json.BeginObject().Key("dry_run").Bool(dry_run).Key("added").BeginArray();
  for (const auto& serial : mended.added) json.String(serial.ToString());
  json.EndArray().Key("revoked").BeginArray();
  for (const auto& serial : mended.revoked) json.String(serial.ToString());
  json.EndArray().Key("crl_numbers").BeginArray();
  for (const Raised& each : mended.numbers)
    json.BeginObject()
        .Member("issuer", each.issuer)
        .Key("from")
        .Int(static_cast<int64_t>(each.from))
        .Key("to")
        .Int(static_cast<int64_t>(each.to))
        .EndObject();
  json.EndArray().EndObject();
  std::cout << std::move(json).Take() << "\n";
}

void PrintWords(const Mended& mended, bool dry_run) {
  const char* would = dry_run ? "would be " : "";
  for (const auto& serial : mended.added)
    std::cout << serial.ToString() << " was signed and lost; " << would << "revoked as abandoned\n";
  for (const auto& serial : mended.revoked)
    std::cout << serial.ToString() << " was revoked before; " << would << "revoked again\n";
  for (const Raised& each : mended.numbers)
    std::cout << "CRL number of " << each.issuer << " " << would << "raised from " << each.from
              << " to " << each.to << "\n";
  if (mended.added.empty() && mended.revoked.empty() && mended.numbers.empty())
    std::cout << "The store lacks nothing that logs and lists know of.\n";
}

}  // namespace

Result<int> RunDbReconcile(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  AGENTCA_ASSIGN(const Hierarchy hierarchy,
                 Hierarchy::Load(config.directory, config.identity.http_external_url));
  AGENTCA_ASSIGN(const OpenedStore store, OpenStore(config, storage::OpenMode::kExisting));
  // Operators take turns, as in agentca cert.
  AGENTCA_ASSIGN(const FileLock turn,
                 FileLock::Take(config.directory.OperatorLock(), FileLock::Wait::kYes));
  const bool dry_run = settings.Flag("dry-run");
  std::unique_ptr<ca::ChainedLog> audit;
  if (!dry_run) {
    AGENTCA_ASSIGN(audit, ca::ChainedLog::Open(config.directory.OperatorAuditLog(),
                                               std::chrono::milliseconds(5000)));
  }
  Reconciliation run({config, hierarchy, *store.maintenance, audit.get(), SystemClock().Now()});
  const Status mended = Reconcile(settings, config, hierarchy, run);
  // Also what was done before it failed.
  if (settings.Flag("json"))
    PrintJson(run.mended(), dry_run);
  else if (mended.ok())
    PrintWords(run.mended(), dry_run);
  if (!mended.ok()) return mended.error();
  return kExitSuccess;
}

}  // namespace agentca::cli
