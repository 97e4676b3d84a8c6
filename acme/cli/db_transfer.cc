#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/line_file.h"
#include "acme/cli/open_store.h"
#include "acme/json.h"
#include "storage/export_format.h"

namespace agentca::cli {
namespace {

// A file that is named on the command line.
Result<std::filesystem::path> FileOf(const Settings& settings, std::string_view option) {
  if (settings.Given(option)) return std::filesystem::path(settings.Text(option));
  return settings.Bad(option, "is required");
}

void Print(const storage::StoreDigest& digest, bool as_json) {
  if (!as_json) {
    for (const auto& table : digest.tables)
      std::cout << table.sha256 << "  " << table.name << " (" << table.rows << ")\n";
    std::cout << digest.total << "  all\n";
    return;
  }
  acme::JsonWriter json;
  json.BeginObject().Key("tables").BeginArray();
  for (const auto& table : digest.tables)
    json.BeginObject()
        .Member("table", table.name)
        .Key("rows")
        .Int(table.rows)
        .Member("sha256", table.sha256)
        .EndObject();
  json.EndArray().Member("sha256", digest.total).EndObject();
  std::cout << std::move(json).Take() << "\n";
}

}  // namespace

Result<int> RunDbExport(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  AGENTCA_ASSIGN(const auto file, FileOf(settings, "out"));
  AGENTCA_ASSIGN(const auto out, LineWriter::Create(file));
  AGENTCA_ASSIGN(const OpenedStore store, OpenStore(config, storage::OpenMode::kExisting));
  AGENTCA_ASSIGN(const auto digest,
                 store.maintenance->Export([&](std::string_view line) { return out->Add(line); }));
  AGENTCA_TRY(out->Finish());
  Print(digest, settings.Flag("json"));
  return kExitSuccess;
}

Result<int> RunDbImport(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  AGENTCA_ASSIGN(const auto file, FileOf(settings, "in"));
  AGENTCA_ASSIGN(const auto in, LineReader::Open(file, storage::kMaxExportLine));
  AGENTCA_ASSIGN(const OpenedStore store, OpenStore(config, storage::OpenMode::kCreate));
  const auto digest = store.maintenance->Import(*in);
  if (!digest.ok())  // never status 2: it is no fault of the command line
    return Error{digest.error().code == Code::kMalformed ? Code::kConflict : digest.error().code,
                 file.string() + ": " + digest.error().detail + "; nothing was imported"};
  Print(*digest, settings.Flag("json"));
  return kExitSuccess;
}

}  // namespace agentca::cli
