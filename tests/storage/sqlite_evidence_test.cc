// What is particular to evidence in a file: keys that are wiped, files of earlier versions, damage.
#include <sstream>

#include "tests/fakes/test_issuer.h"
#include "tests/storage/sqlite_fixture.h"

namespace agentca::storage {
namespace {

class SqliteEvidence : public Sqlite {
 protected:
  static ca::Agent AddAgent(Backend& backend) {
    ca::Agent agent;
    agent.id = {"acme", "web"};
    agent.sponsor = "Alice";
    return backend.agents().AddAgent(agent, {.by = "admin alice", .at = Time{}}).value();
  }
  acme::Authorization Place(Backend& backend, const acme::Account& account) {
    const auto request = make_.NewAgentOrder(account, "web.acme.agents.test");
    return backend.acme().CreateOrder(request).value().authorizations.front();
  }
  ca::Ticket NewTicket(const acme::OrderId& id) {
    const fakes::TestIssuer issuer = fakes::MakeIssuer();
    ca::CertificateRequest request{.key = fakes::NewPublicKey()};
    request.dns_names = {"a.example"};
    request.reference = id;
    return issuer.issuer->Prepare(fakes::ServerProfile(), request, make_.NewSerial(), make_.now())
        .value();
  }
  // The octets of the file and of what SQLite keeps beside it.
  std::string Octets() {
    std::ostringstream all;
    for (const auto& each : std::filesystem::directory_iterator(directory_.path())) {
      all << std::ifstream(each.path(), std::ios::binary).rdbuf();
    }
    return all.str();
  }
  int64_t Number(const char* sql) {
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kRead, {}).value();
    Query row(*connection, sql);
    EXPECT_TRUE(row.Next().value());
    return row.Int(0);
  }
};

TEST_F(SqliteEvidence, TheKeyOfASpentGrantIsNoLongerInTheFile) {
  auto backend = Open();
  const acme::Grant grant = make_.NewGrant(AddAgent(*backend));
  const acme::Grant unspent = make_.NewGrant(backend->agents().FindAgent({"acme", "web"}).value());
  ASSERT_TRUE(IsOk(backend->acme().RecordGrant(grant)));
  ASSERT_TRUE(IsOk(backend->acme().RecordGrant(unspent)));
  acme::Account account = make_.NewAccount();
  account.grant = grant.key_id;
  ASSERT_TRUE(IsOk(backend->acme().CreateAccount({account})));
  EXPECT_EQ(Number("SELECT count(*) FROM acme_grant WHERE mac_key = zeroblob(32) "
                   "AND account IS NOT NULL"),
            1);
  EXPECT_EQ(Number("SELECT count(*) FROM acme_grant WHERE mac_key <> zeroblob(32) "
                   "AND length(mac_key) = 32 AND account IS NULL"),
            1);
  backend.reset();
  const std::string octets = Octets();
  EXPECT_EQ(octets.find(AsText(grant.mac_key)), std::string::npos);
  EXPECT_NE(octets.find(AsText(unspent.mac_key)), std::string::npos);  // so would the other be
}

TEST_F(SqliteEvidence, APayloadThatWasJudgedIsNoLongerInTheFile) {
  auto backend = Open();
  const acme::Account account = Register(*backend);
  const acme::AuthorizationId id = Place(*backend, account).id;
  const std::string payload = "a token that somebody could use elsewhere";
  ASSERT_TRUE(IsOk(backend->acme().BeginChallenge(id, acme::ChallengeType::kAgentAttest01, payload,
                                                  make_.now())));
  ASSERT_TRUE(IsOk(
      backend->acme().FinishChallenge(id, Error{Code::kBadAttestation, "expired"}, make_.now())));
  backend.reset();
  EXPECT_EQ(Octets().find(payload), std::string::npos);
}

TEST_F(SqliteEvidence, AFileOfSchema2KeepsItsObjectsAndTakesEvidence) {
  auto backend = Open();
  const acme::Account account = Register(*backend);
  const acme::NewOrder ready = make_.NewOrder(account.id, "a.example");
  ASSERT_TRUE(IsOk(backend->acme().CreateOrder(ready)));
  const acme::AuthorizationId id = ready.authorizations.front().id;
  ASSERT_TRUE(
      IsOk(backend->acme().BeginChallenge(id, acme::ChallengeType::kDns01, {}, make_.now())));
  backend.reset();
  DowngradeTo(2);
  ASSERT_EQ(Number("PRAGMA user_version"), 2);
  ASSERT_EQ(Number("SELECT count(*) FROM sqlite_schema WHERE name = 'attestation'"), 0);

  backend = Open();
  EXPECT_EQ(backend->acme().FindAccount(account.id)->grant, "");
  const auto pending = backend->acme().ClaimChallenges(ca::WorkScope::kDead, 10);
  ASSERT_TRUE(IsOk(pending));
  ASSERT_EQ(pending->size(), 1U);
  EXPECT_FALSE(pending->front().authorization.drop_key);
  EXPECT_FALSE(pending->front().authorization.attestation);
  ASSERT_TRUE(IsOk(backend->acme().FinishChallenge(id, acme::Proof{}, make_.now())));
  ASSERT_TRUE(IsOk(backend->acme().BeginFinalize(ready.order.id, NewTicket(ready.order.id), {},
                                                 make_.now())));
  EXPECT_FALSE(backend->acme().FindOrder(ready.order.id)->order.approval);

  const acme::Attestation attestation = make_.NewAttestation(AddAgent(*backend));
  const acme::Authorization mine = Place(*backend, account);
  ASSERT_TRUE(IsOk(backend->acme().RecordDrop(mine.id, attestation, make_.now())));
  EXPECT_TRUE(IsOk(backend->acme().FindByDropKey(mine.identifier, *mine.drop_key)));
}

TEST_F(SqliteEvidence, EvidenceThatCannotBeIsAnError) {
  const auto backend = Open();
  const ca::Agent agent = AddAgent(*backend);
  const acme::Grant grant = make_.NewGrant(agent);
  ASSERT_TRUE(IsOk(backend->acme().RecordGrant(grant)));
  const acme::AuthorizationId id = Place(*backend, Register(*backend)).id;
  ASSERT_TRUE(IsOk(backend->acme().RecordDrop(id, make_.NewAttestation(agent), make_.now())));
  const auto expect_damaged = [&](const std::string& json) {
    Execute(("UPDATE acme_authorization SET attestation = '" + json + "'").c_str());
    EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindAuthorization(id))) << json;
  };
  const std::string whole = [&] {
    auto connection = SqliteConnection::Open(file_, SqliteConnection::Access::kRead, {}).value();
    Query row(*connection, "SELECT attestation FROM attestation");
    EXPECT_TRUE(row.Next().value());
    return row.Text(0);
  }();
  const auto with = [&](const std::string& old_text, const std::string& new_text) {
    std::string changed = whole;
    const size_t at = changed.find(old_text);
    EXPECT_NE(at, std::string::npos) << old_text << " is not in " << whole;
    if (at != std::string::npos) changed.replace(at, old_text.size(), new_text);
    return changed;
  };
  expect_damaged("");
  expect_damaged("[]");
  expect_damaged("{}");
  expect_damaged(whole.substr(0, whole.size() - 1));
  expect_damaged(with("\"level\":3", "\"level\":\"3\""));
  expect_damaged(with("\"keyBound\":true", "\"keyBound\":1"));
  expect_damaged(with("\"evidenceHash\":\"", "\"evidenceHash\":\"00"));
  expect_damaged(with("\"key\":\"", "\"key\":\"x"));
  expect_damaged(with("\"image\"", "\"picture\""));
  expect_damaged(with("\"signed\"", "\"guessed\""));
  expect_damaged(with("[\"aud\"", "[7"));
  expect_damaged(with("\"claims\":[", "\"claims\":[[],"));
  expect_damaged(with("\"components\":[{", "\"components\":[7,{"));
  Execute("UPDATE acme_authorization SET attestation = NULL, drop_key = x'00'");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindAuthorization(id)));
  Execute("UPDATE attestation SET attestation = '{}'");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().ListAttestations({})));
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindGrant(grant.key_id)));
  Execute("DELETE FROM attestation");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindGrant(grant.key_id)));
}

TEST_F(SqliteEvidence, AnApprovalThatCannotBeIsAnError) {
  const auto backend = Open();
  const acme::Account account = Register(*backend);
  const acme::NewOrder request = make_.NewOrder(account.id, "a.example");
  ASSERT_TRUE(IsOk(backend->acme().CreateOrder(request)));
  const acme::OrderId& id = request.order.id;
  Execute("UPDATE acme_order SET finalizing = 1, approval = 1");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindOrder(id)));
  Execute(
      "INSERT INTO acme_approval SELECT id, 'acme', 'web', x'00', 3, 0, '', '', NULL "
      "FROM acme_order");
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().FindOrder(id)));
  EXPECT_TRUE(FailsWith(Code::kInternal, backend->acme().ListApprovals(true, "", 10)));
  Execute("UPDATE acme_approval SET decision = 0");
  EXPECT_TRUE(IsOk(backend->acme().FindOrder(id)));
}

}  // namespace
}  // namespace agentca::storage
