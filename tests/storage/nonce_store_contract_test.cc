#include "tests/contract/nonce_store_contract.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "storage/postgres_connection.h"
#include "storage/postgres_uri.h"
#include "storage/sql_nonces.h"
#include "storage/sqlite_database.h"
#include "tests/fakes/memory_nonces.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::contract {
namespace {

class InMemory final : public SharedNonceStore {
 public:
  acme::NonceStore& node(size_t) override { return nonces_; }
  void Crash() override { nonces_.Crash(); }

 private:
  fakes::MemoryNonces nonces_;
};

// Two connections to one file stand for two nodes.
class InSqlite final : public SharedNonceStore {
 public:
  InSqlite() {
    std::ofstream(file_).close();
    Execute(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE spent_nonce (value BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
        "CREATE TABLE nonce_epoch (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
        "                          pruned_before INTEGER NOT NULL) STRICT;"
        "CREATE TABLE shared_key (purpose TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT;");
    for (auto& each : nodes_) each = std::make_unique<Node>(file_);
  }
  acme::NonceStore& node(size_t which) override { return nodes_.at(which)->nonces; }
  void Crash() override { Execute("DELETE FROM spent_nonce; DELETE FROM nonce_epoch;"); }
  void Execute(const char* sql) { EXPECT_OK(Writer(file_)->Execute(sql)); }

 private:
  static std::unique_ptr<storage::SqliteConnection> Writer(const std::filesystem::path& file) {
    return storage::SqliteConnection::Open(file, storage::SqliteConnection::Access::kWrite, {})
        .value();
  }
  struct Node {
    explicit Node(const std::filesystem::path& file) : database(file, {}, Writer(file)) {}
    storage::SqliteDatabase database;
    OpenSslRandom random;
    storage::SqlNonces nonces{database, random};
  };
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "nonces.sqlite";
  std::array<std::unique_ptr<Node>, 2> nodes_;
};

class InPostgres final : public SharedNonceStore {
 public:
  InPostgres() {
    for (auto& each : nodes_) each = storage::Open(uri_, storage::OpenMode::kCreate).value();
  }
  acme::NonceStore& node(size_t which) override { return *nodes_.at(which)->nonces(); }
  // What crash recovery does to unlogged tables; tests/faults has crashes.
  void Crash() override { EXPECT_OK(Connect()->Execute("TRUNCATE spent_nonce, nonce_epoch")); }
  std::unique_ptr<storage::PostgresConnection> Connect() {
    const auto parsed = storage::ParsePostgresUri(uri_);
    return storage::PostgresConnection::Open(parsed->conninfo, {}, watch_).value();
  }

 private:
  storage::PostgresWatch watch_;
  const std::string uri_ = fakes::NewPostgresSchema();
  std::array<std::unique_ptr<storage::Backend>, 2> nodes_;
};

std::vector<NonceStoreKind> AllStores() {
  std::vector<NonceStoreKind> kinds{{"memory", [] { return std::make_unique<InMemory>(); }},
                                    {"sqlite", [] { return std::make_unique<InSqlite>(); }}};
  if (!fakes::PostgresServer().empty()) {
    kinds.push_back({"postgres", [] { return std::make_unique<InPostgres>(); }});
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Stores, NonceStoreContract, testing::ValuesIn(AllStores()),
                         [](const auto& kind) { return kind.param.name; });

// Nonces and their epoch go together, or a crash forgets what it does not refuse.
TEST(SqlNonces, TheTablesOfSpentNoncesAreUnloggedAndTheKeysAreNot) {
  if (fakes::PostgresServer().empty()) GTEST_SKIP() << "no PostgreSQL for tests";
  InPostgres store;
  const auto connection = store.Connect();
  const auto kind_of = [&](const char* table) {
    storage::Query row(*connection,
                       "SELECT CAST(relpersistence AS TEXT) FROM pg_class "
                       "WHERE relname = ? AND relnamespace = "
                       "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())",
                       table);
    EXPECT_TRUE(row.Next().value()) << table;
    return row.Text(0);
  };
  EXPECT_EQ(kind_of("spent_nonce"), "u");
  EXPECT_EQ(kind_of("nonce_epoch"), "u");
  EXPECT_EQ(kind_of("shared_key"), "p");
}

TEST(SqlNonces, AreOfNoUseToOneProcess) {
  const fakes::TemporaryDirectory directory;
  const std::string file = "sqlite:" + (directory / "ca.sqlite").string();
  for (const std::string& uri : {std::string("memory:"), file}) {
    EXPECT_EQ((*storage::Open(uri, storage::OpenMode::kCreate))->nonces(), nullptr) << uri;
  }
}

TEST(SqlNonces, RowsThatCannotBeAreErrors) {
  InSqlite store;
  EXPECT_OK(store.node(0).Horizon());
  EXPECT_OK(store.node(0).SharedKey("a"));
  store.Execute("UPDATE nonce_epoch SET epoch = 4294967296");
  const std::vector<acme::SpentNonce> batch(1);
  EXPECT_FAILS(Code::kInternal, store.node(0).Horizon());
  EXPECT_FAILS(Code::kInternal, store.node(0).SpendNonces(batch));
  EXPECT_FAILS(Code::kInternal, store.node(0).PruneNonces(Time{}, 1));
  store.Execute("UPDATE shared_key SET key = x'00'");
  EXPECT_FAILS(Code::kInternal, store.node(0).SharedKey("a"));
  // What failed spent nothing.
  store.Execute("UPDATE nonce_epoch SET epoch = 1");
  EXPECT_EQ(store.node(1).SpendNonces(batch)->first, std::vector<bool>{true});
}

}  // namespace
}  // namespace agentca::contract
