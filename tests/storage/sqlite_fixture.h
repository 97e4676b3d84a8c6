// A file of SQLite's, opened as a store and behind the store's back.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "storage/migrations.h"
#include "storage/sqlite.h"
#include "tests/contract/backends.h"
#include "tests/fakes/acme_objects.h"
#include "tests/fakes/child_process.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::storage {

using contract::FailsWith;
using contract::IsOk;

class Sqlite : public testing::Test {
 protected:
  std::unique_ptr<Backend> Open(const SqliteOptions& options = {}) {
    auto opened = OpenSqlite(file_, OpenMode::kCreate, options);
    EXPECT_TRUE(IsOk(opened));
    return *std::move(opened);
  }
  // Another user of the same file, as the sqlite3 program would be.
  void Execute(const char* sql) {
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kWrite, {});
    ASSERT_TRUE(IsOk(connection));
    ASSERT_TRUE(IsOk((*connection)->Execute(sql)));
  }
  // The file as a program of that schema would have written it: what it knows of is kept.
  void DowngradeTo(size_t version) {
    const std::filesystem::path newer = directory_ / "newer.sqlite";
    std::filesystem::rename(file_, newer);
    std::ofstream(file_).close();
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kWrite, {}).value();
    const auto execute = [&](const std::string& sql) {
      ASSERT_TRUE(IsOk(connection->Execute(sql.c_str()))) << sql;
    };
    execute("PRAGMA foreign_keys = OFF; PRAGMA user_version = " + std::to_string(version));
    execute("PRAGMA application_id = " + std::to_string(0x41674341));
    execute("ATTACH '" + newer.string() + "' AS newer");
    for (const Migration& each : SqliteMigrations().first(version)) execute(std::string(each.sql));
    Query row(*connection,
              "SELECT s.name, group_concat(c.name) FROM main.sqlite_schema s "
              "JOIN pragma_table_info(s.name) c WHERE s.type = 'table' GROUP BY s.name");
    while (row.Next().value()) {
      const std::string table = row.Text(0);
      const std::string columns = row.Text(1);
      execute("DELETE FROM main." + table);
      execute("INSERT INTO main." + table + " (" + columns + ") SELECT " + columns +
              " FROM newer." + table);
    }
  }
  acme::Account Register(Backend& backend) {
    acme::Account account = make_.NewAccount();
    EXPECT_TRUE(IsOk(backend.acme().CreateAccount({account})));
    return account;
  }
  int64_t RootPageOf(const char* table) {
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kRead, {}).value();
    Query row(*connection, "SELECT rootpage FROM sqlite_schema WHERE name = ?", table);
    EXPECT_TRUE(row.Next().value());
    return row.Int(0);
  }
  fakes::ChildProcess Worker(std::vector<std::string> arguments) {
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    arguments.insert(arguments.begin(),
                     {(program / "store_worker").string(), "sqlite:" + file_.string()});
    return fakes::ChildProcess(std::move(arguments));
  }
  mode_t ModeOf(const std::string& suffix) {
    struct stat found {};
    EXPECT_EQ(::stat((file_.string() + suffix).c_str(), &found), 0) << suffix;
    return found.st_mode & 0777U;
  }
  void Overwrite(std::streamoff offset, size_t size) {
    std::fstream out(file_, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(offset);
    out << std::string(size, '\x5a');
  }

  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ca.sqlite";
  fakes::AcmeObjects make_;
};

}  // namespace agentca::storage
