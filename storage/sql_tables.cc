#include "storage/sql_tables.h"

#include "acme/json.h"
#include "ca/base/utf8.h"
#include "storage/export_format.h"

namespace agentca::storage {
namespace {

// "i:" integer, "t:" text, "b:" octets.
struct Shape {
  const char* name;
  size_t key_columns;
  const char* columns;
};
constexpr Shape kShapes[] = {
    {"acme_account", 1,
     "t:id i:status b:spki t:thumbprint t:contacts t:agreed_terms i:created_at t:grant_id"},
    {"acme_order", 1,
     "t:id t:account i:created_at i:expires_at t:identifiers t:authorizations i:not_before "
     "i:not_after i:finalizing b:certificate t:error i:approval t:worker"},
    {"acme_authorization", 1,
     "t:id t:order_id t:account t:identifier i:wildcard t:token t:offered i:expires_at "
     "i:deactivated t:attempt i:attempt_state t:attempt_error i:validated_at b:drop_key "
     "i:drop_hint t:attestation t:payload t:worker"},
    {"acme_grant", 1, "t:key_id b:mac_key i:created_at i:expires_at t:account"},
    {"acme_approval", 1,
     "t:order_id t:tenant t:agent b:csr i:decision i:asked_at t:decided_by t:reason i:decided_at"},
    {"attestation", 1,
     "i:id t:reference t:account t:tenant t:agent b:evidence_hash t:replay_id t:attestation"},
    {"issuer", 1, "i:id t:name"},
    {"certificate_status", 1, "b:serial i:issuer i:body i:state i:not_after i:revoked_at i:reason"},
    {"certificate_body", 1,
     "i:id b:serial t:reference t:owner t:profile t:dns_names i:intended_at b:tbs b:der "
     "i:tbs_offset i:tbs_size b:spki_sha256 t:worker"},
    {"certificate_name", 2, "t:name i:body"},
    {"revocation_event", 1, "i:sequence b:serial"},
    {"crl_number", 1, "i:issuer i:number"},
    {"compromised_key", 1, "b:spki_sha256"},
    {"evidence_source", 1, "t:name t:definition"},
    {"admission_rule", 1, "t:name t:source t:definition"},
    {"agent", 2,
     "t:tenant t:name i:status t:admitted_by i:version i:created_at i:changed_at t:registration"},
    {"agent_source", 3, "t:source t:tenant t:name"},
    {"agent_event", 1, "i:sequence t:tenant t:name i:at t:by t:what t:detail"},
    {"document", 1, "t:name i:version b:content"},
};
constexpr const char* kPageLength = " LIMIT 256";

std::vector<Column> ColumnsOf(std::string_view text) {
  std::vector<Column> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const ColumnType type = word[0] == 'i'   ? ColumnType::kInt
                            : word[0] == 't' ? ColumnType::kText
                                             : ColumnType::kBlob;
    out.push_back({std::string(word.substr(2)), type});
  }
  return out;
}

Table TableOf(const Shape& shape) {
  Table table{.name = shape.name,
              .columns = ColumnsOf(shape.columns),
              .key_columns = shape.key_columns,
              .first_page = {},
              .next_page = {},
              .insert = {},
              .any = {}};
  std::string columns, marks, key, key_marks;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const std::string comma = i == 0 ? "" : ", ";
    columns += comma + table.columns[i].name;
    marks += comma + "?";
    if (i < table.key_columns) key += comma + table.columns[i].name;
    if (i < table.key_columns) key_marks += comma + "?";
  }
  const std::string select = "SELECT " + columns + " FROM " + table.name;
  const std::string end = " ORDER BY " + key + kPageLength;
  table.first_page = select + end;
  table.next_page = select + " WHERE (" + key + ") > (" + key_marks + ")" + end;
  table.insert = "INSERT INTO " + table.name + " (" + columns + ") VALUES (" + marks + ")";
  table.any = "SELECT 1 FROM " + table.name + " LIMIT 1";
  return table;
}

// A value of the key, to go on from.
using KeyValue = std::variant<int64_t, std::string, Bytes>;

Error Unreadable(const Table& table) {
  return {Code::kInternal, "a row of " + table.name + " is damaged"};
}

// The line of the row, and its key.
Result<std::string> LineOf(Query& row, const Table& table, std::vector<KeyValue>& key) {
  acme::JsonWriter json;
  json.BeginArray();
  key.clear();
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const int at = static_cast<int>(i);
    const bool is_key = i < table.key_columns;
    if (row.IsNull(at)) {
      json.Raw("null");
      continue;
    }
    switch (table.columns[i].type) {
      case ColumnType::kInt:
        if (is_key) key.emplace_back(row.Int(at));
        json.Int(row.Int(at));
        break;
      case ColumnType::kText: {
        std::string text = row.Text(at);
        if (!IsUtf8(text) || text.find('\0') != std::string::npos) return Unreadable(table);
        json.String(text);
        if (is_key) key.emplace_back(std::move(text));
        break;
      }
      case ColumnType::kBlob:
        if (is_key) key.emplace_back(row.Blob(at));
        json.String(ToBase64Url(row.BlobView(at)));
        break;
    }
  }
  json.EndArray();
  if (!row.intact() || key.size() != table.key_columns) return Unreadable(table);
  return std::move(json).Take();
}

Error NotARow(const Table& table) {
  return {Code::kMalformed, "a line is not a row of " + table.name};
}

Status BindValue(Query& insert, const Table& table, const Column& column,
                 const acme::JsonValue& value) {
  if (value.is_null()) {
    insert.Bind(std::optional<int64_t>());
    return {};
  }
  if (column.type == ColumnType::kInt) {
    const auto number = value.AsInt();
    if (!number) return NotARow(table);
    insert.Bind(*number);
    return {};
  }
  const auto text = value.AsString();
  if (!text) return NotARow(table);
  if (column.type == ColumnType::kText) {
    insert.Bind(*text);
    return {};
  }
  const auto octets = FromBase64Url(*text);
  if (!octets.ok()) return NotARow(table);
  insert.Bind(*octets);
  return {};
}

}  // namespace

const std::vector<Table>& LastingTables() {
  static const std::vector<Table> kTables = [] {
    std::vector<Table> tables;
    for (const Shape& shape : kShapes) tables.push_back(TableOf(shape));
    return tables;
  }();
  return kTables;
}

Result<TableDigest> VisitRows(Connection& connection, const Table& table,
                              const std::function<Status(std::string_view)>& visit) {
  RowDigest digest(table);
  std::vector<KeyValue> key;
  for (bool first = true;; first = false) {
    const char* sql = first ? table.first_page.c_str() : table.next_page.c_str();
    Query row(connection, sql);
    for (const KeyValue& value : key) std::visit([&](const auto& each) { row.Bind(each); }, value);
    bool any = false;
    for (;; any = true) {
      AGENTCA_ASSIGN(const bool found, row.Next());
      if (!found) break;
      AGENTCA_ASSIGN(const std::string line, LineOf(row, table, key));
      digest.Add(line);
      AGENTCA_TRY(visit(line));
    }
    if (!any) return digest.Finish();
  }
}

void RowDigest::Add(std::string_view line) {
  hash_.Add(AsBytes(line));
  hash_.Add(AsBytes("\n"));
  ++digest_.rows;
}

TableDigest RowDigest::Finish() {
  digest_.sha256 = ToHex(hash_.Finish());
  return digest_;
}

Status InsertRow(Connection& connection, const Table& table, std::string_view line) {
  const auto document =
      acme::JsonDocument::Parse(line, {.max_size = kMaxExportLine, .max_depth = 1});
  if (!document.ok() || !document->root().is_array()) return NotARow(table);
  const auto values = document->root().elements();
  if (values.size() != table.columns.size()) return NotARow(table);
  Query insert(connection, table.insert.c_str());
  for (size_t i = 0; i < values.size(); ++i)
    AGENTCA_TRY(BindValue(insert, table, table.columns[i], values[i]));
  const Status inserted = insert.Run();
  if (!inserted.ok() && inserted.error().code == Code::kConflict)
    return Error{Code::kConflict,
                 "a row of " + table.name + " does not go with the rows before it"};
  return inserted;
}

void Complete(StoreDigest& digest) {
  std::string lines;
  for (const TableDigest& table : digest.tables)
    lines += table.name + " " + std::to_string(table.rows) + " " + table.sha256 + "\n";
  digest.total = ToHex(Sha256(AsBytes(lines)));
}

}  // namespace agentca::storage
