// Nodes on one schema of the PostgreSQL server that the tests were given.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/postgres.h"
#include "tests/contract/backends.h"
#include "tests/fakes/acme_objects.h"
#include "tests/fakes/agents.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::storage {

using contract::FailsWith;
using contract::IsOk;

// What the tests of a store need, of any backend.
struct Flows {
  Time now() const { return make.now(); }
  acme::Account Register(Backend& at) {
    acme::Account account = make.NewAccount();
    EXPECT_TRUE(IsOk(at.acme().CreateAccount({account})));
    return account;
  }
  acme::OrderView Place(Backend& at, const acme::AccountId& account) {
    return at.acme().CreateOrder(make.NewOrder(account, "a.example")).value();
  }
  acme::OrderView PlaceReady(Backend& at, const acme::AccountId& account) {
    acme::OrderView view = Place(at, account);
    for (const auto& each : view.authorizations) {
      EXPECT_TRUE(IsOk(at.acme().BeginChallenge(each.id, acme::ChallengeType::kDns01, {}, now())));
      EXPECT_TRUE(IsOk(at.acme().FinishChallenge(each.id, acme::Proof{}, now())));
    }
    return view;
  }
  ca::Ticket NewTicket(const acme::OrderId& reference) {
    return NewTicket(reference, key);
  }
  ca::Ticket NewTicket(const acme::OrderId& reference, const ca::PublicKey& of) {
    ca::CertificateRequest request{.key = of};
    request.dns_names = {"a.example"};
    request.reference = reference;
    return issuer.issuer->Prepare(fakes::ServerProfile(), request, make.NewSerial(), now()).value();
  }
  // With an intent.
  ca::Certificate Intend(Backend& at, const acme::OrderId& reference = "") {
    ca::Ticket ticket = NewTicket(reference);
    EXPECT_TRUE(IsOk(at.certificates().RecordIntent(ticket, now())));
    return issuer.issuer->Issue(std::move(ticket)).value();
  }
  ca::Certificate IssueOne(Backend& at) {
    ca::Certificate certificate = Intend(at);
    EXPECT_TRUE(IsOk(at.certificates().RecordCertificate(certificate, issuer_id())));
    return certificate;
  }
  const ca::IssuerId& issuer_id() const { return issuer.issuer->id(); }

  fakes::AcmeObjects make{static_cast<uint64_t>(NewRowId())};  // other ids than in other tests
  const ca::PublicKey key = fakes::NewPublicKey();
  const fakes::TestIssuer issuer = fakes::MakeIssuer();
};

class Postgres : public testing::Test {
 protected:
  void SetUp() override {
    if (fakes::PostgresServer().empty()) GTEST_SKIP() << "AGENTCA_TEST_POSTGRES names no server";
    uri_ = fakes::NewPostgresSchema();
    node_ = OpenNode();
  }
  std::unique_ptr<Backend> OpenNode(const PostgresOptions& options = {}) {
    auto opened = OpenPostgres(uri_, OpenMode::kCreate, options);
    EXPECT_TRUE(IsOk(opened));
    return *std::move(opened);
  }
  // Behind the nodes' back.
  void Execute(const std::string& sql) {
    ASSERT_TRUE(IsOk(Connect()->Execute(sql.c_str()))) << sql;
  }
  std::unique_ptr<PostgresConnection> Connect() {
    return PostgresConnection::Open(ParsePostgresUri(uri_)->conninfo, {}, watch_).value();
  }
  // A transaction that is in the way, by the locks of this statement, until it is rolled back.
  std::unique_ptr<PostgresConnection> Obstruct(const char* sql) {
    auto connection = Connect();
    EXPECT_TRUE(IsOk(connection->Begin(PostgresConnection::Kind::kReadCommitted)));
    EXPECT_TRUE(IsOk(connection->Execute(sql)));
    return connection;
  }
  // True once so many statements wait for a lock.
  bool SomebodyWaits(int64_t statements = 1) {
    const auto connection = Connect();
    return fakes::Eventually([&] {
      Query row(*connection,
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()");
      return row.Next().value() && row.Int(0) >= statements;
    });
  }

  std::string uri_;
  PostgresWatch watch_;
  Flows flows_;
  std::unique_ptr<Backend> node_;
};

}  // namespace agentca::storage
