#include <algorithm>
#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/cli/open_store.h"
#include "acme/cli/pruner.h"
#include "acme/cli/published.h"
#include "acme/json.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

void Print(acme::JsonWriter&& json) { std::cout << std::move(json).Take() << "\n"; }

std::string LineOf(const storage::Finding& finding) {
  std::string line = finding.table;
  if (!finding.key.empty()) line.append(" ").append(finding.key);
  if (!line.empty()) line.append(": ");
  return line + finding.fault;
}

// Also lists that were published, but that the store has no copy of.
Status CheckPublished(const Config& config, storage::Maintenance& store,
                      const std::function<void(const storage::Finding&)>& found) {
  AGENTCA_ASSIGN(const auto lists, ReadPublished(config));
  for (const Published& list : lists) {
    AGENTCA_ASSIGN(const uint64_t counter, store.CrlNumberOf(list.issuer));
    if (counter < list.summary.number)
      found({"crl_number", list.issuer,
             "its counter is at " + std::to_string(counter) + ", but " + list.file.string() +
                 " is list " + std::to_string(list.summary.number) + "; see agentca db reconcile"});
  }
  return {};
}

}  // namespace

Result<int> RunDbMigrate(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  SetLogLevel(config.log_level);
  AGENTCA_ASSIGN(const auto before, storage::LookAtSchema(config.storage));
  if (before.found == 0) return Error{Code::kNotFound, "nothing of agentca's is in the database"};
  const bool dry_run = settings.Flag("dry-run");
  if (!dry_run)
    AGENTCA_TRY(
        storage::Open(config.storage, storage::OpenMode::kExisting, {}, storage::Pace::kPatient));
  if (settings.Flag("json")) {
    acme::JsonWriter json;
    json.BeginObject()
        .Key("from")
        .Int(before.found)
        .Key("to")
        .Int(std::max(before.found, before.latest));
    json.Key("steps").BeginArray();
    for (const auto& step : before.steps) json.String(step);
    json.EndArray().Key("dry_run").Bool(dry_run).EndObject();
    Print(std::move(json));
    return kExitSuccess;
  }
  if (before.steps.empty()) {
    std::cout << "The database has schema " << before.found << "; there is nothing to do.\n";
    return kExitSuccess;
  }
  std::cout << (dry_run ? "Would bring" : "Brought") << " the database from schema " << before.found
            << " to " << before.latest << ":\n";
  for (const auto& step : before.steps) std::cout << "  " << step << "\n";
  return kExitSuccess;
}

Result<int> RunDbCheck(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  AGENTCA_ASSIGN(const OpenedStore store, OpenStore(config, storage::OpenMode::kExisting));
  const bool as_json = settings.Flag("json");
  size_t findings = 0;
  acme::JsonWriter json;
  json.BeginObject().Key("findings").BeginArray();
  const auto found = [&](const storage::Finding& finding) {
    ++findings;
    if (!as_json) {
      std::cout << LineOf(finding) << "\n";
      return;
    }
    json.BeginObject()
        .Member("table", finding.table)
        .Member("key", finding.key)
        .Member("fault", finding.fault)
        .EndObject();
  };
  AGENTCA_TRY(store.maintenance->Check(found));
  AGENTCA_TRY(CheckPublished(config, *store.maintenance, found));
  json.EndArray().Key("sound").Bool(findings == 0).EndObject();
  if (as_json)
    Print(std::move(json));
  else if (findings == 0)
    std::cout << "The database is sound.\n";
  return findings == 0 ? kExitSuccess : kExitFailure;
}

// SIGTERM ends it between or within two transactions: either way nothing is half done.
Result<int> RunDbPrune(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  AGENTCA_ASSIGN(const OpenedStore store, OpenStore(config, storage::OpenMode::kExisting));
  const bool dry_run = settings.Flag("dry-run");
  const Time now = SystemClock().Now();
  acme::JsonWriter json;
  json.BeginObject().Key("dry_run").Bool(dry_run).Key("pruned").BeginArray();
  for (const auto what : storage::kPrunables) {
    const auto before = PrunedBefore(what, config.retention, config.crl, now);
    if (!before) continue;
    AGENTCA_ASSIGN(const size_t rows,
                   Prune(*store.maintenance, what, *before, dry_run, [] { return true; }));
    json.BeginObject()
        .Member("what", storage::ToString(what))
        .Key("rows")
        .Int(static_cast<int64_t>(rows))
        .Member("before", ToRfc3339(*before))
        .EndObject();
    if (!settings.Flag("json"))
      std::cout << (dry_run ? "Would delete " : "Deleted ") << rows << " "
                << storage::ToString(what) << " that were over before " << ToRfc3339(*before)
                << ".\n";
  }
  json.EndArray().EndObject();
  if (settings.Flag("json")) Print(std::move(json));
  return kExitSuccess;
}

}  // namespace agentca::cli
