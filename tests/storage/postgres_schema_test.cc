// What a database may hold before a node opens it, and rows that it must not believe.
#include <future>

#include "storage/migrations.h"
#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

class PostgresSchema : public Postgres {
 protected:
  Result<std::unique_ptr<Backend>> Open(OpenMode mode = OpenMode::kExisting) {
    return OpenPostgres(uri_, mode);
  }
  static std::string Newer() {
    return std::to_string(PostgresMigrations().back().version + 1);
  }
};

TEST_F(PostgresSchema, ThatIsNewerIsRefused) {
  Execute("UPDATE agentca_schema SET version = " + Newer() + ", oldest_program = " + Newer());
  for (const OpenMode mode : {OpenMode::kExisting, OpenMode::kCreate})
    EXPECT_TRUE(FailsWith(Code::kConflict, Open(mode)));
}

TEST_F(PostgresSchema, ThatIsNewerButFitForUsIsUsed) {
  Execute("UPDATE agentca_schema SET version = " + Newer());
  const auto opened = Open();
  ASSERT_TRUE(IsOk(opened));
  EXPECT_NE((*opened)->Describe().find("schema " + Newer()), std::string::npos);
}

TEST_F(PostgresSchema, OfAnotherProgramIsLeftAlone) {
  uri_ = fakes::NewPostgresSchema();
  Execute("CREATE TABLE acme_account (id TEXT)");
  EXPECT_TRUE(FailsWith(Code::kConflict, Open(OpenMode::kCreate)));
  Execute("SELECT id FROM acme_account");
}

TEST_F(PostgresSchema, IsNotMadeWhereItIsToExist) {
  uri_ = fakes::NewPostgresSchema();
  EXPECT_TRUE(FailsWith(Code::kNotFound, Open(OpenMode::kExisting)));
}

TEST_F(PostgresSchema, IsMadeOnceByProgramsThatStartTogether) {
  for (int round = 0; round < 3; ++round) {
    uri_ = fakes::NewPostgresSchema();
    std::vector<std::future<bool>> opened;
    for (int i = 0; i < 4; ++i) {
      opened.push_back(std::async(std::launch::async, [&] {
        return bool(IsOk(OpenPostgres(uri_, OpenMode::kCreate)));
      }));
    }
    for (auto& each : opened) EXPECT_TRUE(each.get());
    const auto connection = Connect();
    Query row(*connection, "SELECT probes FROM health");
    EXPECT_TRUE(row.Next().value());
    EXPECT_FALSE(row.Next().value());
  }
}

TEST_F(PostgresSchema, RowsThatFailTheirChecksAreDamage) {
  const acme::Account account = flows_.Register(*node_);
  const auto view = flows_.Place(*node_, account.id);
  const ca::Certificate certificate = flows_.IssueOne(*node_);
  Execute("UPDATE acme_account SET status = 9");
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->acme().FindAccount(account.id)));
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->acme().FindOrder(view.order.id)));
  Execute("UPDATE acme_account SET status = 0, spki = '\\x00'");
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->acme().FindAccount(account.id)));
  Execute("UPDATE acme_authorization SET identifier = 'nonsense'");
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->acme().FindOrder(view.order.id)));
  Execute("DELETE FROM acme_authorization");
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->acme().FindOrder(view.order.id)));
  Execute("UPDATE certificate_status SET state = 7");
  EXPECT_TRUE(FailsWith(Code::kInternal, node_->certificates().StatusOf(flows_.issuer_id(),
                                                                        certificate.serial)));
}

TEST_F(PostgresSchema, OfAnotherTypeIsDamageToo) {
  const acme::Account account = flows_.Register(*node_);
  Execute("ALTER TABLE acme_account ALTER COLUMN created_at TYPE TEXT");
  // The first has a plan of before, which PostgreSQL refuses; later ones have the new type.
  EXPECT_FALSE(IsOk(node_->acme().FindAccount(account.id)));
  EXPECT_TRUE(FailsWith(Code::kInternal, OpenNode()->acme().FindAccount(account.id)));
}

TEST_F(PostgresSchema, AMigrationUnderRunningNodesDoesNotFailThem) {
  const acme::Account account = flows_.Register(*node_);
  EXPECT_TRUE(IsOk(node_->acme().FindAccount(account.id)));
  Execute("ALTER TABLE agent ADD COLUMN later TEXT");
  const auto agent = node_->agents().AddAgent(fakes::SomeAgent(), fakes::ByAlice());
  ASSERT_TRUE(IsOk(agent));
  EXPECT_TRUE(IsOk(node_->agents().FindAgent(agent->id)));
  Execute("ALTER TABLE agent ADD COLUMN later_still TEXT");
  EXPECT_TRUE(IsOk(node_->agents().FindAgent(agent->id)));  // prepared before
  EXPECT_TRUE(IsOk(node_->agents().SetAgentStatus(agent->id, ca::AgentStatus::kSuspended, "why",
                                                  fakes::ByAlice())));
}

TEST_F(PostgresSchema, AStatementThatWaitsTooLongFailsAlone) {
  PostgresOptions options;
  options.statement_timeout = std::chrono::milliseconds(300);
  const auto node = OpenNode(options);
  const auto blocker = Connect();
  ASSERT_TRUE(IsOk(blocker->Begin(PostgresConnection::Kind::kReadCommitted)));
  ASSERT_TRUE(IsOk(blocker->Execute("LOCK TABLE acme_account")));
  const acme::Account account = flows_.make.NewAccount();
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().CreateAccount({account})));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().FindAccount(account.id)));
  blocker->Rollback();
  EXPECT_TRUE(IsOk(node->acme().CreateAccount({account})));
}

}  // namespace
}  // namespace agentca::storage
