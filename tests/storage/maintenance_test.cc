#include <map>
#include <set>

#include "storage/sql_tables.h"
#include "tests/storage/sqlite_fixture.h"

namespace agentca::storage {
namespace {

TEST(Maintenance, IsNotForMemory) {
  EXPECT_EQ(Open("memory:", OpenMode::kCreate).value()->maintenance(), nullptr);
  EXPECT_TRUE(FailsWith(Code::kNotFound, LookAtSchema("memory:")));
}

// A table that is added is exported, or it is said here why not.
TEST_F(Sqlite, EveryColumnThatLastsIsExported) {
  Open();
  const std::set<std::string> passing = {"node", "duty", "health", "spent_nonce", "shared_key",
                                          "key_gate"};
  std::map<std::string, std::set<std::string>> wanted, exported;
  auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kRead, {}).value();
  Query row(*connection,
            "SELECT s.name, c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c "
            "WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%'");
  while (row.Next().value())
    if (!passing.contains(row.Text(0))) wanted[row.Text(0)].insert(row.Text(1));
  for (const Table& table : LastingTables())
    for (const Column& column : table.columns) exported[table.name].insert(column.name);
  EXPECT_EQ(exported, wanted);
}

TEST_F(Sqlite, SaysWhatAMigrationWouldDo) {
  Open();
  const int latest = SqliteMigrations().back().version;
  const std::string uri = "sqlite:" + file_.string();
  EXPECT_EQ(LookAtSchema(uri)->found, latest);
  EXPECT_TRUE(LookAtSchema(uri)->steps.empty());
  DowngradeTo(static_cast<size_t>(latest) - 1);
  const SchemaState state = LookAtSchema(uri).value();
  EXPECT_EQ(state.found, latest - 1);
  EXPECT_EQ(state.latest, latest);
  ASSERT_EQ(state.steps.size(), 1U);
  EXPECT_EQ(LookAtSchema(uri)->found, latest - 1);  // it was only looked at
  EXPECT_TRUE(FailsWith(Code::kNotFound, LookAtSchema("sqlite:" + (directory_ / "no").string())));
}

TEST_F(Sqlite, FindsWhatIsWrong) {
  const auto backend = Open();
  const acme::Account account = Register(*backend);
  const auto order = backend->acme().CreateOrder(make_.NewOrder(account.id, "a.example")).value();
  Execute("PRAGMA foreign_keys = OFF; UPDATE acme_account SET status = 9;"
          "DELETE FROM acme_account; INSERT INTO crl_number SELECT 1, 1 WHERE 0;"
          "INSERT INTO issuer VALUES (1, 'i'); INSERT INTO document VALUES ('crl/i', 5, x'00');"
          "INSERT INTO certificate_status VALUES (x'01', 1, 7, 2, 9, NULL, NULL);"
          "INSERT INTO certificate_status VALUES (x'02', 1, 8, 1, 9, 5, 1);"
          "INSERT INTO certificate_name VALUES ('a.example', 77);"
          "INSERT INTO revocation_event VALUES (4, x'02'), (9, x'03')");
  std::set<std::string> tables;
  ASSERT_TRUE(IsOk(backend->maintenance()->Check(
      [&](const Finding& finding) { tables.insert(finding.table); })));
  EXPECT_EQ(tables, (std::set<std::string>{"", "acme_order", "certificate_name",
                                           "certificate_status", "crl_number",
                                           "revocation_event"}));
}

}  // namespace
}  // namespace agentca::storage
