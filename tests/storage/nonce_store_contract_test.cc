#include "tests/contract/nonce_store_contract.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "storage/sql_nonces.h"
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
  static std::unique_ptr<storage::Connection> Writer(const std::filesystem::path& file) {
    return storage::Connection::Open(file, storage::Connection::Access::kWrite, {}).value();
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

INSTANTIATE_TEST_SUITE_P(
    Stores, NonceStoreContract,
    testing::Values(NonceStoreKind{"memory", [] { return std::make_unique<InMemory>(); }},
                    NonceStoreKind{"sqlite", [] { return std::make_unique<InSqlite>(); }}),
    [](const auto& kind) { return kind.param.name; });

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
