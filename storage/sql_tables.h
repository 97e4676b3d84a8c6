// The tables that last, and their rows as lines of an export: a JSON array of the columns, octets
// as base64url. A row has one such line, whatever database it is in.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/digest.h"
#include "storage/maintenance.h"
#include "storage/sql.h"

namespace agentca::storage {

enum class ColumnType : uint8_t { kInt, kText, kBlob };
struct Column {
  std::string name;
  ColumnType type;
};

struct Table {
  std::string name;
  std::vector<Column> columns;  // the key first
  size_t key_columns;
  // Statements, whose addresses last: see Connection::Prepare.
  std::string first_page, next_page, insert, any;
};
// Those that are referred to come before those that refer. What is missing is bound to a process or
// a moment: node, duty, health, nonces that were spent and the keys that those are made with.
const std::vector<Table>& LastingTables();

// Of lines of rows, in the order of the keys.
class RowDigest {
 public:
  explicit RowDigest(const Table& table) { digest_.name = table.name; }
  void Add(std::string_view line);
  TableDigest Finish();

 private:
  Sha256Stream hash_;
  TableDigest digest_;
};

// Calls `visit` with the line of each row in the order of the keys. kInternal: a row is damaged.
Result<TableDigest> VisitRows(Connection& connection, const Table& table,
                              const std::function<Status(std::string_view)>& visit);
// kMalformed: not a line as VisitRows makes it. kConflict: the row does not go with those there.
Status InsertRow(Connection& connection, const Table& table, std::string_view line);
// Sets `total`.
void Complete(StoreDigest& digest);

}  // namespace agentca::storage
