// What is particular to agents in a file: upgrades, damage, outages, other transactions.
#include "storage/sql_agents.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/migrations.h"
#include "storage/sqlite_database.h"
#include "storage/sqlite_schema.h"
#include "tests/contract/backends.h"
#include "tests/fakes/agents.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::storage {
namespace {

using contract::FailsWith;
using contract::IsOk;
using fakes::ByAlice;

class SqliteAgentsFile : public testing::Test {
 protected:
  // The registry of a file, without the rest of a backend.
  struct Opened {
    Opened(const std::filesystem::path& file, std::unique_ptr<SqliteConnection> writer)
        : database(file, kOptions, std::move(writer)), agents(database) {}
    SqliteDatabase database;
    SqlAgents agents;
  };
  std::unique_ptr<Opened> Open() {
    auto writer = Connect();
    EXPECT_TRUE(IsOk(writer->Execute("PRAGMA journal_mode = WAL")));
    EXPECT_TRUE(IsOk(Migrate(*writer)));
    return std::make_unique<Opened>(file_, std::move(writer));
  }
  std::unique_ptr<SqliteConnection> Connect() {
    if (!std::filesystem::exists(file_)) std::ofstream(file_).close();
    return SqliteConnection::Open(file_, SqliteConnection::Access::kWrite, kOptions).value();
  }
  // Another user of the same file, as the sqlite3 program would be.
  Status Execute(const std::string& sql) { return Connect()->Execute(sql.c_str()); }
  // As earlier versions of this program left it.
  void MakeSchema(int version) {
    const auto connection = Connect();
    for (int i = 0; i < version; ++i) {
      const std::string sql(SqliteMigrations()[static_cast<size_t>(i)].sql);
      ASSERT_TRUE(IsOk(connection->Execute(sql.c_str())));
    }
    const std::string stamp = "PRAGMA application_id = 1097286465; PRAGMA user_version = ";
    ASSERT_TRUE(IsOk(connection->Execute((stamp + std::to_string(version)).c_str())));
  }

  static constexpr SqliteOptions kOptions{.busy_timeout = std::chrono::milliseconds(20)};
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ca.sqlite";
};

void PutSources(ca::AgentRegistry& registry) {
  ASSERT_TRUE(IsOk(registry.PutSource(fakes::TokenSource(), ByAlice())));
  ASSERT_TRUE(IsOk(registry.PutSource(fakes::FullSource(), ByAlice())));
}

// ---- Upgrade -----------------------------------------------------------------------------------

TEST_F(SqliteAgentsFile, ADatabaseOfSchemaTwoGetsAnEmptyRegistryAndKeepsWhatItHas) {
  MakeSchema(2);
  ASSERT_TRUE(IsOk(
      Execute("INSERT INTO acme_account (id, status, spki, thumbprint, contacts, agreed_terms, "
              "created_at) VALUES ('a', 0, x'00', 't', '[]', '', 1)")));
  const auto opened = Open();
  EXPECT_TRUE(opened->agents.ListAgents({})->empty());
  EXPECT_EQ(opened->agents.TrustVersion().value(), 0);
  PutSources(opened->agents);
  EXPECT_TRUE(IsOk(opened->agents.AddAgent(fakes::FullAgent(), ByAlice())));
  const auto connection = Connect();
  Query row(*connection, "SELECT thumbprint FROM acme_account WHERE id = 'a'");
  ASSERT_TRUE(row.Next().value());
  EXPECT_EQ(row.Text(0), "t");
}

// ---- History -----------------------------------------------------------------------------------

TEST_F(SqliteAgentsFile, NobodyRewritesHistory) {
  const auto opened = Open();
  ASSERT_TRUE(IsOk(opened->agents.AddAgent(fakes::SomeAgent(), ByAlice())));
  EXPECT_TRUE(FailsWith(Code::kConflict, Execute("UPDATE agent_event SET by = 'nobody'")));
  EXPECT_TRUE(FailsWith(Code::kConflict, Execute("DELETE FROM agent_event")));
  EXPECT_EQ(opened->agents.AgentHistory({"acme", "web"}, 0, 10)->at(0).by, "admin alice");
}

// ---- Damage ------------------------------------------------------------------------------------

TEST_F(SqliteAgentsFile, AnAgentThatCannotBeReadIsAnError) {
  const auto opened = Open();
  PutSources(opened->agents);
  const ca::Agent agent = opened->agents.AddAgent(fakes::FullAgent(), ByAlice()).value();
  const auto expect_damaged = [&](const std::string& set) {
    const std::string keep = "CREATE TABLE kept AS SELECT * FROM agent; UPDATE agent SET ";
    ASSERT_TRUE(IsOk(Execute(keep + set))) << set;
    const auto found = opened->agents.FindAgent(agent.id);
    EXPECT_TRUE(FailsWith(Code::kInternal, found)) << set;
    EXPECT_NE(found.error().detail.find("damaged"), std::string::npos) << found.error().detail;
    EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.ListAgents({}))) << set;
    EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.ChangeAgent(agent, ByAlice()))) << set;
    EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.AdmitAgent(agent, ByAlice()))) << set;
    ASSERT_TRUE(
        IsOk(Execute("UPDATE agent SET status = 0, registration = (SELECT registration FROM kept);"
                     "DROP TABLE kept")));
    ASSERT_TRUE(IsOk(opened->agents.FindAgent(agent.id)));
  };
  expect_damaged("status = 3");
  expect_damaged("status = -1");
  expect_damaged("registration = ''");
  expect_damaged("registration = '{'");
  expect_damaged("registration = '[]'");
  expect_damaged("registration = '{}'");
  for (const char* member :
       {"purpose", "sponsor", "deployment", "class", "class.risk", "profile", "scopes", "evidence",
        "evidence[0].source", "evidence[0].claims", "evidence[0].claims[1].pattern", "components",
        "components[0].kind", "components[1].digest", "parent"}) {
    const std::string path = std::string("'$.") + member + "'";
    expect_damaged("registration = json_remove(registration, " + path + ")");
    expect_damaged("registration = json_set(registration, " + path + ", 7)");
  }
  expect_damaged("registration = json_set(registration, '$.class.access', 'extreme')");
  expect_damaged("registration = json_set(registration, '$.components[0].digest', 'xyz')");
  expect_damaged("registration = json_set(registration, '$.components[0].basis', 'hoped')");
  expect_damaged("registration = json_set(registration, '$.maxDepth', -1)");
  expect_damaged("registration = json_set(registration, '$.maxDepth', 4294967296)");
  expect_damaged("registration = json_set(registration, '$.maxDepth', '1')");
}

TEST_F(SqliteAgentsFile, ARuleOrSourceThatCannotBeReadIsAnErrorUntilItIsRemoved) {
  const auto opened = Open();
  PutSources(opened->agents);
  ASSERT_TRUE(IsOk(opened->agents.PutRule(fakes::FleetRule(), ByAlice())));
  ASSERT_TRUE(IsOk(Execute("UPDATE admission_rule SET definition = '{}'")));
  EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.ListRules()));
  EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.PutRule(fakes::FleetRule(), ByAlice())));
  EXPECT_TRUE(IsOk(opened->agents.RemoveRule("fleet", ByAlice())));
  EXPECT_TRUE(IsOk(opened->agents.ListRules()));

  ASSERT_TRUE(IsOk(
      Execute("UPDATE evidence_source SET definition = json_set(definition, '$.name', 'other') "
              "WHERE name = 'k8s'")));
  EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.ListSources()));
  EXPECT_TRUE(IsOk(opened->agents.RemoveSource("k8s", ByAlice())));
  for (const char* value : {"'$.maxLevel', 9", "'$.maxLevel', 'x'", "'$.required', 1",
                            "'$.required[0].claim', 1", "'$.issuer', 1"}) {
    ASSERT_TRUE(IsOk(Execute(std::string("UPDATE evidence_source SET definition = json_set("
                                         "definition, ") +
                             value + ")")));
    EXPECT_TRUE(FailsWith(Code::kInternal, opened->agents.ListSources())) << value;
    ASSERT_TRUE(IsOk(opened->agents.RemoveSource("full", ByAlice())));
    ASSERT_TRUE(IsOk(opened->agents.PutSource(fakes::FullSource(), ByAlice())));
  }
}

// ---- Away --------------------------------------------------------------------------------------

TEST_F(SqliteAgentsFile, AWriteThatFailsLeavesNeitherAgentNorEvent) {
  const auto opened = Open();
  const auto other = Connect();
  ASSERT_TRUE(IsOk(other->Execute("BEGIN IMMEDIATE")));
  EXPECT_TRUE(
      FailsWith(Code::kUnavailable, opened->agents.AddAgent(fakes::SomeAgent(), ByAlice())));
  EXPECT_TRUE(
      FailsWith(Code::kUnavailable, opened->agents.PutSource(fakes::TokenSource(), ByAlice())));
  EXPECT_TRUE(FailsWith(Code::kNotFound, opened->agents.FindAgent({"acme", "web"})));
  ASSERT_TRUE(IsOk(other->Execute("COMMIT")));
  EXPECT_EQ(opened->agents.TrustVersion().value(), 0);
  EXPECT_TRUE(IsOk(opened->agents.AddAgent(fakes::SomeAgent(), ByAlice())));
  EXPECT_EQ(opened->agents.AgentHistory({"acme", "web"}, 0, 10)->size(), 1U);
}

// The event is the last to be written: without it, nothing of the change may stay.
TEST_F(SqliteAgentsFile, AChangeWhoseEventCannotBeWrittenDoesNotHappen) {
  const auto opened = Open();
  PutSources(opened->agents);
  ca::Agent agent = opened->agents.AddAgent(fakes::FullAgent(), ByAlice()).value();
  ASSERT_TRUE(
      IsOk(Execute("CREATE TRIGGER fault BEFORE INSERT ON agent_event "
                   "BEGIN SELECT RAISE(ABORT, 'fault'); END")));
  agent.purpose = "another";
  agent.evidence.clear();
  EXPECT_FALSE(opened->agents.ChangeAgent(agent, ByAlice()).ok());
  EXPECT_FALSE(
      opened->agents.SetAgentStatus(agent.id, ca::AgentStatus::kRetired, "", ByAlice()).ok());
  EXPECT_FALSE(opened->agents.AddAgent(fakes::SomeAgent("a", "b"), ByAlice()).ok());
  EXPECT_FALSE(opened->agents.PutRule(fakes::FleetRule(), ByAlice()).ok());
  EXPECT_FALSE(opened->agents.PutSource(fakes::TokenSource("new"), ByAlice()).ok());
  ASSERT_TRUE(IsOk(Execute("DROP TRIGGER fault")));
  const ca::Agent found = opened->agents.FindAgent(agent.id).value();
  EXPECT_EQ(found.purpose, fakes::FullAgent().purpose);
  EXPECT_EQ(found.status, ca::AgentStatus::kActive);
  EXPECT_EQ(found.version, 1);
  EXPECT_TRUE(FailsWith(Code::kConflict, opened->agents.RemoveSource("full", ByAlice())));
  EXPECT_TRUE(FailsWith(Code::kNotFound, opened->agents.FindAgent({"a", "b"})));
  EXPECT_TRUE(opened->agents.ListRules()->empty());
  EXPECT_EQ(opened->agents.ListSources()->size(), 2U);
}

// ---- Within the transactions of others ---------------------------------------------------------

TEST_F(SqliteAgentsFile, AnAdmissionFallsWithTheTransactionItIsPartOf) {
  const auto opened = Open();
  const ca::Agent agent = fakes::SomeAgent();
  const Status failed = opened->database.Write([&](Connection& connection) -> Status {
    AGENTCA_ASSIGN(const ca::Agent admitted, AdmitWithin(connection, agent, ByAlice()));
    EXPECT_EQ(admitted.version, 1);
    EXPECT_TRUE(IsOk(LoadAgent(connection, agent.id)));
    return Error{Code::kConflict, "no"};
  });
  EXPECT_TRUE(FailsWith(Code::kConflict, failed));
  EXPECT_TRUE(FailsWith(Code::kNotFound, opened->agents.FindAgent(agent.id)));
  const auto admitted = opened->database.Write(
      [&](Connection& connection) { return AdmitWithin(connection, agent, ByAlice()); });
  ASSERT_TRUE(IsOk(admitted));
  EXPECT_EQ(opened->agents.AgentHistory(agent.id, 0, 10)->size(), 1U);
}

}  // namespace
}  // namespace agentca::storage
