#include "acme/json.h"
#include "storage/export_format.h"
#include "storage/migrations.h"
#include "storage/sql_maintenance.h"
#include "storage/sql_tables.h"

namespace agentca::storage {
namespace {

std::string HeadLine() {
  acme::JsonWriter json;
  json.BeginObject()
      .Member("format", kExportFormat)
      .Key("version")
      .Int(kExportVersion)
      .Key("schema")
      .Int(SqliteMigrations().back().version)
      .EndObject();
  return std::move(json).Take();
}

std::string TableLine(const std::string& name) {
  acme::JsonWriter json;
  json.BeginObject().Member("table", name).EndObject();
  return std::move(json).Take();
}

std::string EndLine(std::string_view counted, int64_t count, const std::string& sha256) {
  acme::JsonWriter json;
  json.BeginObject().Key(counted).Int(count).Member("sha256", sha256).EndObject();
  return std::move(json).Take();
}

Result<TableDigest> ExportTable(Connection& connection, const Table& table, const LineSink& out) {
  AGENTCA_TRY(out(TableLine(table.name)));
  AGENTCA_ASSIGN(
      TableDigest digest, VisitRows(connection, table, [&](std::string_view line) -> Status {
        if (line.size() <= kMaxExportLine) return out(line);
        return Error{Code::kInternal, "a row of " + table.name + " is too large to be exported"};
      }));
  AGENTCA_TRY(out(EndLine("rows", digest.rows, digest.sha256)));
  return digest;
}

}  // namespace

Result<StoreDigest> SqlMaintenance::Export(const LineSink& out) {
  return database_.ReadSnapshot([&](Connection& connection) -> Result<StoreDigest> {
    AGENTCA_TRY(out(HeadLine()));
    StoreDigest digest;
    for (const Table& table : LastingTables()) {
      AGENTCA_ASSIGN(TableDigest each, ExportTable(connection, table, out));
      digest.tables.push_back(std::move(each));
    }
    Complete(digest);
    AGENTCA_TRY(out(EndLine("tables", static_cast<int64_t>(digest.tables.size()), digest.total)));
    return digest;
  });
}

}  // namespace agentca::storage
