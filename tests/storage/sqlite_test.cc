// What is particular to a file: who may use it, and what happens when it is damaged, full or away.
#include "storage/sqlite.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "storage/sqlite_schema.h"
#include "tests/fakes/test_issuer.h"
#include "tests/storage/sqlite_fixture.h"

namespace agentca::storage {
namespace {

// ---- Opening -----------------------------------------------------------------------------------

TEST_F(Sqlite, ANewFileBelongsToItsOwnerAlone) {
  const auto backend = Open();
  (void)Register(*backend);
  EXPECT_EQ(ModeOf(""), 0600U);
  EXPECT_EQ(ModeOf("-wal"), 0600U);
  EXPECT_EQ(ModeOf("-shm"), 0600U);
  EXPECT_EQ(backend->Describe(), "sqlite:" + file_.string() + ", schema " + std::to_string(LatestSchema()));
}

TEST_F(Sqlite, OpenNamesWhatIsWrongWithAUri) {
  EXPECT_TRUE(FailsWith(Code::kMalformed, storage::Open("postgres:x", OpenMode::kCreate)));
  EXPECT_TRUE(FailsWith(Code::kMalformed, storage::Open("sqlite:", OpenMode::kCreate)));
  EXPECT_TRUE(FailsWith(Code::kMalformed, storage::Open("", OpenMode::kCreate)));
}

TEST_F(Sqlite, OpenExistingCreatesNothing) {
  const auto opened = OpenSqlite(file_, OpenMode::kExisting);
  EXPECT_TRUE(FailsWith(Code::kNotFound, opened));
  EXPECT_NE(opened.error().detail.find(file_.string()), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(Sqlite, OpenRefusesADirectoryAndAMissingParent) {
  EXPECT_TRUE(FailsWith(Code::kUnavailable, OpenSqlite(directory_.path(), OpenMode::kCreate)));
  EXPECT_TRUE(
      FailsWith(Code::kUnavailable, OpenSqlite(directory_ / "no" / "ca", OpenMode::kCreate)));
}

TEST_F(Sqlite, OpenRefusesANewerSchema) {
  Open().reset();
  Execute("PRAGMA user_version = 99");
  const auto opened = OpenSqlite(file_, OpenMode::kExisting);
  EXPECT_TRUE(FailsWith(Code::kConflict, opened));
  EXPECT_NE(opened.error().detail.find("schema 99"), std::string::npos) << opened.error().detail;
}

TEST_F(Sqlite, AMigratedFileKnowsTheKeysOfItsCertificates) {
  const fakes::TestIssuer issuer = fakes::MakeIssuer();
  fakes::SeededRandom random;
  const Time now = fakes::ManualClock().Now();
  std::vector<ca::Certificate> issued;
  {
    const auto backend = Open();
    for (int i = 0; i < 3; ++i) {
      ca::Ticket ticket = issuer.issuer
                              ->Prepare(fakes::ServerProfile(), fakes::MakeRequest({"a.example"}),
                                        ca::Serial::Random(1, random), now)
                              .value();
      ASSERT_TRUE(IsOk(backend->certificates().RecordIntent(ticket, now)));
      issued.push_back(issuer.issuer->Issue(std::move(ticket)).value());
      ASSERT_TRUE(
          IsOk(backend->certificates().RecordCertificate(issued.back(), issuer.issuer->id())));
    }
    for (const auto& [index, reason] :
         {std::pair(0, ca::Reason::kKeyCompromise), std::pair(1, ca::Reason::kSuperseded)}) {
      ASSERT_TRUE(IsOk(backend->certificates().Revoke(
          issuer.issuer->id(), issued[static_cast<size_t>(index)].serial, reason, now)));
    }
  }
  DowngradeTo(1);
  const auto backend = Open();
  const auto history_of = [&](size_t i) {
    return backend->certificates().HistoryOf(issued[i].key.spki_sha256()).value();
  };
  EXPECT_EQ(history_of(0), ca::KeyHistory::kCompromised);
  EXPECT_EQ(history_of(1), ca::KeyHistory::kCertified);
  EXPECT_EQ(history_of(2), ca::KeyHistory::kCertified);
  EXPECT_TRUE(IsOk(backend->certificates().StatusOf(issuer.issuer->id(), issued[2].serial)));
}

TEST_F(Sqlite, OpenRefusesADatabaseOfAnotherProgram) {
  std::ofstream(file_).close();
  Execute("CREATE TABLE cookies (value TEXT)");
  EXPECT_TRUE(FailsWith(Code::kConflict, OpenSqlite(file_, OpenMode::kCreate)));
  Execute("PRAGMA user_version = 1");
  EXPECT_TRUE(FailsWith(Code::kConflict, OpenSqlite(file_, OpenMode::kCreate)));
}

TEST_F(Sqlite, OpenRefusesWhatIsNoDatabase) {
  std::ofstream(file_) << std::string(8192, 'x');
  const auto opened = OpenSqlite(file_, OpenMode::kExisting);
  EXPECT_TRUE(FailsWith(Code::kInternal, opened));
  EXPECT_NE(opened.error().detail.find("damaged"), std::string::npos) << opened.error().detail;
}

TEST_F(Sqlite, OpenRefusesAReadOnlyFile) {
  Open().reset();
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file_.c_str(), 0444), 0);
  fakes::ChildProcess worker = Worker({"open-as-nobody"});
  const std::string line = worker.ReadLine().value_or("");
  EXPECT_EQ(worker.Wait(), 1);
  EXPECT_TRUE(line.starts_with("error " + std::to_string(static_cast<int>(Code::kUnavailable))))
      << line;
  EXPECT_NE(line.find("read-only"), std::string::npos) << line;
}

TEST_F(Sqlite, ManyMayCreateTheSameFileAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([this] { (void)Open(); });
  for (std::thread& each : threads) each.join();
  EXPECT_TRUE(IsOk(Open()->acme().CheckHealth()));
}

// ---- Damage ------------------------------------------------------------------------------------

TEST_F(Sqlite, ADamagedPageIsAnErrorAndNotACrash) {
  const acme::Account account = Register(*Open());
  constexpr std::streamoff kPage = 4096;
  Overwrite((RootPageOf("acme_account") - 1) * kPage, kPage);
  const auto backend = Open();
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindAccount(account.id)));
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().CreateAccount({account})));
  EXPECT_TRUE(FailsWith(Code::kNotFound, backend->acme().FindOrder("nothing")));
}

TEST_F(Sqlite, ValuesThatCannotBeAreAnError) {
  const auto backend = Open();
  const acme::Account account = Register(*backend);
  const acme::NewOrder request = make_.NewOrder(account.id, "a.example");
  ASSERT_TRUE(IsOk(backend->acme().CreateOrder(request)));
  const acme::AuthorizationId& id = request.authorizations[0].id;
  const auto expect_damaged = [&](const char* sql) {
    Execute(sql);
    EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindAuthorization(id))) << sql;
    EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindOrder(request.order.id))) << sql;
  };
  expect_damaged("UPDATE acme_authorization SET attempt = 'dns-01', attempt_state = 7");
  expect_damaged("UPDATE acme_authorization SET attempt = 'magic-01', attempt_state = 0");
  expect_damaged(
      "UPDATE acme_authorization SET attempt = 'dns-01', attempt_state = 2, attempt_error = '{'");
  expect_damaged("UPDATE acme_authorization SET attempt = NULL, identifier = 'nonsense'");
  Execute("UPDATE acme_account SET spki = x'00'");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindAccount(account.id)));
}

// ---- Full, busy, away --------------------------------------------------------------------------

TEST_F(Sqlite, AFullFileRefusesWholeVerbsAndKeepsTheRest) {
  const auto backend = Open({.max_pages = 80});
  const acme::Account account = Register(*backend);
  std::vector<acme::OrderId> placed;
  acme::NewOrder order = make_.NewOrder(account.id, "a.example");
  Result<acme::OrderView> outcome = backend->acme().CreateOrder(order);
  for (; outcome.ok() && placed.size() < 10'000; outcome = backend->acme().CreateOrder(order)) {
    placed.push_back(order.order.id);
    order = make_.NewOrder(account.id, "a.example");
  }
  EXPECT_TRUE(FailsWith(Code::kUnavailable, outcome));
  EXPECT_TRUE(FailsWith(Code::kNotFound, backend->acme().FindOrder(order.order.id)));
  EXPECT_TRUE(
      FailsWith(Code::kNotFound, backend->acme().FindAuthorization(order.authorizations[0].id)));
  for (const auto& id : placed) EXPECT_TRUE(IsOk(backend->acme().FindOrder(id)));
  EXPECT_GT(placed.size(), 10U);
}

TEST_F(Sqlite, AFullDiskLosesNothingThatWasAcknowledged) {
  const acme::Account account = Register(*Open());
  fakes::ChildProcess worker = Worker({"fill", account.id, "5", "400000"});
  std::vector<std::string> lines = worker.ReadLines();
  EXPECT_EQ(worker.Wait(), 1);
  ASSERT_GT(lines.size(), 5U);
  EXPECT_TRUE(
      lines.back().starts_with("error " + std::to_string(static_cast<int>(Code::kUnavailable))))
      << lines.back();
  lines.pop_back();
  const auto backend = Open();
  for (const std::string& id : lines) EXPECT_TRUE(IsOk(backend->acme().FindOrder(id)));
  EXPECT_TRUE(IsOk(backend->acme().CreateOrder(make_.NewOrder(account.id, "a.example"))));
}

TEST_F(Sqlite, AnotherWriterDelaysWritesButNotReads) {
  const auto backend = Open({.busy_timeout = std::chrono::milliseconds(20)});
  const acme::Account account = Register(*backend);
  auto other = SqliteConnection::Open(file_, SqliteConnection::Access::kWrite, {});
  ASSERT_TRUE(IsOk((*other)->Execute("BEGIN IMMEDIATE")));
  const acme::NewOrder order = make_.NewOrder(account.id, "a.example");
  EXPECT_TRUE(FailsWith(Code::kUnavailable, backend->acme().CreateOrder(order)));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, backend->acme().CheckHealth()));
  EXPECT_TRUE(IsOk(backend->acme().FindAccount(account.id)));
  ASSERT_TRUE(IsOk((*other)->Execute("COMMIT")));
  EXPECT_TRUE(IsOk(backend->acme().CheckHealth()));
  EXPECT_TRUE(IsOk(backend->acme().CreateOrder(order)));
}

TEST_F(Sqlite, AFileThatWasDeletedTakesNoMoreWrites) {
  const auto backend = Open();
  const acme::Account account = Register(*backend);
  std::filesystem::remove(file_);
  EXPECT_TRUE(FailsWith(Code::kUnavailable, backend->acme().CreateAccount({make_.NewAccount()})));
  EXPECT_TRUE(FailsWith(Code::kUnavailable, backend->acme().CheckHealth()));
}

// ---- Processes ---------------------------------------------------------------------------------

TEST_F(Sqlite, TwoProcessesWriteAtTheSameTime) {
  constexpr size_t kEach = 60;
  const auto backend = Open();
  const acme::Account account = Register(*backend);
  fakes::ChildProcess worker = Worker({"place", account.id, "77", std::to_string(kEach)});
  for (size_t i = 0; i < kEach; ++i) {
    EXPECT_TRUE(IsOk(backend->acme().CreateOrder(make_.NewOrder(account.id, "b.example"))));
  }
  const std::vector<std::string> placed = worker.ReadLines();
  EXPECT_EQ(worker.Wait(), 0);
  EXPECT_EQ(placed.size(), kEach);
  for (const std::string& id : placed) EXPECT_TRUE(IsOk(backend->acme().FindOrder(id))) << id;
  const auto all = backend->acme().ListOrders(account.id, "", 1000, make_.now());
  EXPECT_EQ(all->orders.size(), 2 * kEach);
}

TEST_F(Sqlite, AKilledProcessLosesNothingThatWasAcknowledged) {
  constexpr size_t kKills = 12;
  const acme::Account account = Register(*Open());
  std::vector<std::string> placed;
  for (size_t kill = 0; kill < kKills; ++kill) {
    fakes::ChildProcess worker = Worker({"place", account.id, std::to_string(1000 + kill)});
    for (size_t lines = 0; lines < 1 + kill * 7 % 23; ++lines) {
      placed.push_back(worker.ReadLine().value_or("nothing was placed"));
    }
    worker.Kill();
    for (std::string& each : worker.ReadLines()) placed.push_back(std::move(each));
    const auto backend = Open();
    for (const std::string& id : placed) {
      EXPECT_TRUE(IsOk(backend->acme().FindOrder(id))) << id << " after kill " << kill;
    }
    EXPECT_TRUE(IsOk(backend->acme().CheckHealth()));
  }
}

}  // namespace
}  // namespace agentca::storage
