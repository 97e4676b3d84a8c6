// Servers that hang, go away, come back, cannot be written to, or refuse us.
#include <future>

#include "tests/fakes/own_postgres.h"
#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class OwnServer : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<fakes::OwnPostgres>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (server_->uri().empty()) GTEST_SKIP() << "PostgreSQL is not installed";
  }
  static std::string Uri() { return server_->uri() + "?connect_timeout=2"; }
  static Result<std::unique_ptr<Backend>> Open(const std::string& uri) {
    PostgresOptions options;
    options.deadline = milliseconds(1500);
    options.patience = milliseconds(1000);
    return OpenPostgres(uri, OpenMode::kCreate, options);
  }
  // Several connections, idle by now.
  void Warm(Backend& node) {
    std::vector<std::future<bool>> reads;
    for (int i = 0; i < 8; ++i) {
      reads.push_back(std::async(std::launch::async, [&node] {
        return node.agents().ListAgents({.limit = 1}).ok();
      }));
    }
    for (auto& each : reads) EXPECT_TRUE(each.get());
  }
  static auto Healthy(Backend& node) {
    return [&node] { return node.acme().CheckHealth().ok(); };
  }

  static std::unique_ptr<fakes::OwnPostgres> server_;
  Flows flows_;
};
std::unique_ptr<fakes::OwnPostgres> OwnServer::server_;

TEST_F(OwnServer, ThatHangsHoldsNobodyForLong) {
  const auto node = Open(Uri()).value();
  const acme::Account account = flows_.Register(*node);
  Warm(*node);
  server_->Tell("freeze");
  const auto began = steady_clock::now();
  EXPECT_TRUE(FailsWith(Code::kUnavailable,
                        node->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"))));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().FindAccount(account.id)));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().CheckHealth()));
  EXPECT_LT(steady_clock::now() - began, seconds(20));
  server_->Tell("thaw");
  EXPECT_TRUE(fakes::Eventually(Healthy(*node)));
  EXPECT_TRUE(IsOk(node->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"))));
}

TEST_F(OwnServer, ThatStartedAnewIsUsedAsBefore) {
  const auto node = Open(Uri()).value();
  const acme::Account account = flows_.Register(*node);
  for (const char* how : {"stop fast", "stop immediate"}) {
    Warm(*node);
    server_->Tell(how);
    server_->Tell("start");
    EXPECT_TRUE(IsOk(node->acme().FindAccount(account.id))) << how;
    Warm(*node);
    server_->Tell("stop fast");
    server_->Tell("start");
    const auto placed = node->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"));
    EXPECT_TRUE(IsOk(placed)) << how;
  }
}

TEST_F(OwnServer, ThatIsAwayIsMissedAtOnceAndFoundAgain) {
  const auto node = Open(Uri()).value();
  const acme::Account account = flows_.Register(*node);
  server_->Tell("stop fast");
  const auto began = steady_clock::now();
  EXPECT_TRUE(FailsWith(Code::kUnavailable,
                        node->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"))));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().FindAccount(account.id)));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, node->acme().CheckHealth()));
  EXPECT_LT(steady_clock::now() - began, seconds(6));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, Open(Uri())));
  server_->Tell("start");
  EXPECT_TRUE(fakes::Eventually(Healthy(*node)));
  EXPECT_TRUE(IsOk(node->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"))));
}

TEST_F(OwnServer, ThatCannotBeWrittenToSaysSo) {
  const acme::Account account = flows_.Register(*Open(Uri()).value());
  for (const char* attributes : {"read-write", "any"}) {
    const auto own = Open(Uri() + "&target_session_attrs=" + attributes).value();
    server_->Tell("sql ALTER DATABASE agentca SET default_transaction_read_only = on");
    server_->Tell("stop fast");
    server_->Tell("start");
    const auto placed = own->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"));
    EXPECT_TRUE(FailsWith(Code::kUnavailable, placed));
    EXPECT_EQ(placed.error().detail, "the database cannot be written");
    const Status health = own->acme().CheckHealth();
    EXPECT_TRUE(FailsWith(Code::kUnavailable, health));
    server_->Tell(
        "sql BEGIN READ WRITE; ALTER DATABASE agentca RESET default_transaction_read_only; COMMIT");
    server_->Tell("stop fast");
    server_->Tell("start");
    EXPECT_TRUE(fakes::Eventually(Healthy(*own)));
    EXPECT_TRUE(IsOk(own->acme().CreateOrder(flows_.make.NewOrder(account.id, "a.example"))));
  }
}

TEST_F(OwnServer, DoesNotAcknowledgeWhatIsNotOnDisk) {
  PostgresWatch watch;
  const auto commit = [&](const std::string& value) {
    server_->Tell("sql ALTER ROLE agentca SET synchronous_commit = " + value);
    const auto connection =
        PostgresConnection::Open(ParsePostgresUri(Uri())->conninfo, {}, watch).value();
    Query row(*connection, "SELECT current_setting('synchronous_commit')");
    return row.Next().ok() ? row.Text(0) : "";
  };
  for (const char* weak : {"off", "local", "remote_write"}) EXPECT_EQ(commit(weak), "on") << weak;
  EXPECT_EQ(commit("remote_apply"), "remote_apply");
  server_->Tell("sql ALTER ROLE agentca RESET synchronous_commit");
}

TEST_F(OwnServer, ThatRefusesUsSaysWhat) {
  const auto detail = [&](const std::string& of, const std::string& instead) {
    std::string uri = Uri();
    uri.replace(uri.rfind(of), of.size(), instead);
    const auto opened = Open(uri);
    EXPECT_TRUE(FailsWith(Code::kUnavailable, opened));
    return opened.ok() ? std::string() : opened.error().detail;
  };
  EXPECT_NE(detail("agentca@", "nobody@").find("refuses this user"), std::string::npos);
  EXPECT_NE(detail("/agentca", "/nothing").find("no such database"), std::string::npos);
}

TEST(OwnPair, TheStandbyTakesOver) {
  fakes::OwnPostgres servers("--standby");
  if (servers.uri().empty()) GTEST_SKIP() << "PostgreSQL is not installed";
  Flows flows;
  const auto node = OpenPostgres(servers.uri(), OpenMode::kCreate).value();
  const acme::Account account = flows.Register(*node);
  const auto before = flows.Place(*node, account.id);
  servers.Tell("fail-over");
  const auto placed = node->acme().CreateOrder(flows.make.NewOrder(account.id, "a.example"));
  EXPECT_TRUE(IsOk(placed));
  EXPECT_TRUE(IsOk(node->acme().FindOrder(before.order.id)));
  EXPECT_TRUE(IsOk(node->acme().CheckHealth()));
}

}  // namespace
}  // namespace agentca::storage
