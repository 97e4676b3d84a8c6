#include "acme/json.h"
#include "storage/export_format.h"
#include "storage/migrations.h"
#include "storage/sql_maintenance.h"
#include "storage/sql_tables.h"

namespace agentca::storage {
namespace {

Error Bad(std::string why) { return {Code::kMalformed, "the export " + std::move(why)}; }
Error Truncated() { return Bad("ends too early"); }

// Lines of one export in turn.
class Reader {
 public:
  explicit Reader(LineSource& in) : in_(in) {}
  Result<std::string_view> Line() {
    AGENTCA_ASSIGN(const auto line, in_.Next());
    if (!line) return Truncated();
    return *line;
  }
  // The line as an object with one number and one text, under these names.
  struct Counted {
    int64_t count;
    std::string sha256;
  };
  Result<acme::JsonDocument> Object() {
    AGENTCA_ASSIGN(const std::string_view line, Line());
    return ObjectIn(line);
  }
  static Result<acme::JsonDocument> ObjectIn(std::string_view line) {
    auto document = acme::JsonDocument::Parse(line, {.max_size = 4096, .max_depth = 1});
    if (!document.ok() || !document->root().is_object()) return Bad("is damaged");
    return document;
  }
  static Result<Counted> CountIn(const acme::JsonDocument& document, std::string_view counted) {
    const auto count = document.root().OptionalInt(counted);
    auto sha256 = document.root().String("sha256");
    if (!count.ok() || !*count || !sha256.ok()) return Bad("is damaged");
    return Counted{**count, *std::move(sha256)};
  }
  Result<bool> AtEnd() {
    AGENTCA_ASSIGN(const auto line, in_.Next());
    return !line;
  }

 private:
  LineSource& in_;
};

Status ReadHead(Reader& in) {
  const auto document = in.Object();
  const auto format =
      document.ok() ? document->root().String("format") : Result<std::string>(document.error());
  if (!format.ok() || *format != kExportFormat)
    return Error{Code::kMalformed, "it is no export of agentca's"};
  const auto version = document->root().OptionalInt("version");
  const auto schema = document->root().OptionalInt("schema");
  if (!version.ok() || !schema.ok() || !*version || !*schema) return Bad("is damaged");
  const int64_t ours = SqliteMigrations().back().version;
  if (**version > kExportVersion || **schema > ours)
    return Bad("has schema " + std::to_string(**schema) +
               ", but this program knows schemas up to " + std::to_string(ours) +
               ": a newer version of agentca wrote it");
  if (**version < kExportVersion || **schema < ours)
    return Bad("has schema " + std::to_string(**schema) + ", but this program writes schema " +
               std::to_string(ours) +
               ": import it with the version that wrote it, which db migrate "
               "follows");
  return {};
}

Result<TableDigest> ReadTable(Connection& connection, const Table& table, Reader& in) {
  AGENTCA_ASSIGN(const acme::JsonDocument head, in.Object());
  const auto name = head.root().String("table");
  if (!name.ok() || *name != table.name) return Bad("lacks the table " + table.name);
  RowDigest rows(table);
  for (;;) {
    AGENTCA_ASSIGN(const std::string_view line, in.Line());
    if (line.starts_with('[')) {
      rows.Add(line);
      AGENTCA_TRY(InsertRow(connection, table, line));
      continue;
    }
    AGENTCA_ASSIGN(const acme::JsonDocument end, Reader::ObjectIn(line));
    AGENTCA_ASSIGN(const auto claimed, Reader::CountIn(end, "rows"));
    TableDigest digest = rows.Finish();
    if (claimed.count != digest.rows || claimed.sha256 != digest.sha256)
      return Bad("is damaged: the digest of " + table.name + " is another");
    return digest;
  }
}

Status RequireEmpty(Connection& connection) {
  for (const Table& table : LastingTables()) {
    AGENTCA_ASSIGN(const bool any, Query(connection, table.any.c_str()).Next());
    if (any)
      return Error{Code::kConflict,
                   "the store holds rows of " + table.name + "; an import needs an empty one"};
  }
  return {};
}

Result<StoreDigest> ReadAll(Connection& connection, Reader& in) {
  AGENTCA_TRY(ReadHead(in));
  AGENTCA_TRY(RequireEmpty(connection));
  StoreDigest digest;
  for (const Table& table : LastingTables()) {
    AGENTCA_ASSIGN(TableDigest each, ReadTable(connection, table, in));
    digest.tables.push_back(std::move(each));
  }
  Complete(digest);
  AGENTCA_ASSIGN(const acme::JsonDocument end, in.Object());
  AGENTCA_ASSIGN(const auto claimed, Reader::CountIn(end, "tables"));
  AGENTCA_ASSIGN(const bool at_end, in.AtEnd());
  if (claimed.count != static_cast<int64_t>(digest.tables.size()) ||
      claimed.sha256 != digest.total || !at_end)
    return Bad("is damaged: the digest of all tables is another");
  return digest;
}

// What the database made of it.
Status CheckWritten(Connection& connection, const StoreDigest& wanted) {
  for (size_t i = 0; i < wanted.tables.size(); ++i) {
    AGENTCA_ASSIGN(const TableDigest found,
                   VisitRows(connection, LastingTables()[i], [](auto) { return Status(); }));
    if (found.rows != wanted.tables[i].rows || found.sha256 != wanted.tables[i].sha256)
      return Error{Code::kInternal, "the store holds " + found.name + " otherwise than the export"};
  }
  return {};
}

}  // namespace

Result<StoreDigest> SqlMaintenance::Import(LineSource& in) {
  return database_.Write([&](Connection& connection) -> Result<StoreDigest> {
    AGENTCA_TRY(in.Rewind());
    Reader reader(in);
    AGENTCA_ASSIGN(StoreDigest digest, ReadAll(connection, reader));
    AGENTCA_TRY(CheckWritten(connection, digest));
    return digest;
  });
}

}  // namespace agentca::storage
