// One node in the test's own process, with `agentca signer` beside it.
#include "acme/cli/node.h"

#include <gtest/gtest.h>

#include "ca/crl.h"
#include "tests/cli/program.h"
#include "tests/fakes/child_process.h"
#include "tests/fakes/eventually.h"

namespace agentca::cli {
namespace {

class NodeTest : public testing::Test {
 protected:
  void Start(const std::string& roles) {
    const std::filesystem::path socket = directory_ / "signer";
    const auto init = Init(ca_, "--signer-socket " + socket.string());
    ASSERT_EQ(init.exit_code, 0) << init.output;
    signer_.emplace(std::vector<std::string>{AGENTCA_TEST_PROGRAM, "signer", "--dir", ca_.string(),
                                             "--role", roles});
    const auto settings = Settings::Read(
        Command::kServe, std::vector<std::string>{
                             "--dir", ca_.string(), "--role", roles, "--acme-listen", "127.0.0.1:0",
                             "--http-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"});
    ASSERT_TRUE(settings.ok()) << settings.error().detail;
    const auto config = Config::Make(*settings);
    ASSERT_TRUE(config.ok()) << config.error().detail;
    config_.emplace(*config);
    StartAgain();
  }
  void StartAgain() {
    node_.reset();
    auto node = Node::Start(*config_);
    ASSERT_TRUE(node.ok()) << node.error().detail;
    node_ = std::move(node).value();
  }
  // Which of the CA's keys this node's signer lets it use. The node is gone afterwards.
  std::vector<std::string> HeldKeys() {
    node_.reset();  // the signer serves one connection at a time
    hsm::SignerClientOptions options;
    options.unix_socket = directory_ / "signer";
    const auto signer = hsm::SignerClient::Start(options);
    std::vector<std::string> held;
    EXPECT_TRUE(signer.ok());
    for (const char* key : {kRootKey, kIssuingKey, kOcspKey})
      if (signer.ok() && (*signer)->Open(key).ok()) held.emplace_back(key);
    return held;
  }
  uint64_t NumberOfIssuingCrl() const {
    const auto hierarchy = Hierarchy::Load(Directory(ca_), "http://unused.test");
    const auto& issuing = hierarchy->issuing;
    return ca::ParseCrl(fakes::ReadWholeFile(Directory(ca_).Crl(issuing.info.id)),
                        issuing.certificate.key)
        .value()
        .number;
  }
  std::string LocalAcme() const {
    const std::string& url = node_->directory_url();
    return url.substr(0, url.rfind('/'));
  }
  // The status of the answer and, on a line of its own, its content.
  std::string Get(const std::string& url) const {
    const auto admin = [&](const char* name) { return (ca_ / "admin" / name).string(); };
    return fakes::RunCommand("curl --silent --noproxy '*' --max-time 30 --write-out '%{http_code}' "
                             "--cacert " + (ca_ / "ca/root.pem").string() + " --cert " +
                             admin("admin.pem") + " --key " + admin("admin.key") + " " + url)
        .output;
  }

  fakes::TemporaryDirectory directory_;
  const std::filesystem::path ca_ = directory_ / "ca";
  std::optional<fakes::ChildProcess> signer_;
  std::optional<Config> config_;
  std::unique_ptr<Node> node_;
};

TEST_F(NodeTest, NothingIsAcceptedAndNobodySeesItReadyUntilItOpens) {
  Start("acme,ocsp,admin");
  const std::string agents = node_->admin_url() + "/admin/v1/agents";
  const std::string listeners[] = {node_->http_url(), LocalAcme()};
  for (const std::string& listener : listeners) {
    EXPECT_EQ(Get(listener + "/healthz"), "ok\n200");
    EXPECT_EQ(Get(listener + "/readyz"), "starting\n503");
  }
  EXPECT_NE(Get(node_->directory_url()).find("starting"), std::string::npos);
  EXPECT_NE(Get(agents).find("starting"), std::string::npos) << Get(agents);
  node_->Open();
  for (const std::string& listener : listeners) EXPECT_EQ(Get(listener + "/readyz"), "ok\n200");
  EXPECT_NE(Get(node_->directory_url()).find("newOrder"), std::string::npos);
  EXPECT_TRUE(Get(agents).ends_with("200")) << Get(agents);
}

TEST_F(NodeTest, AResponderServesWhatOthersSignAndHoldsOneKey) {
  Start("ocsp");
  node_->Open();
  EXPECT_EQ(node_->directory_url() + node_->admin_url(), "");
  EXPECT_EQ(node_->health_url(), node_->http_url());
  EXPECT_EQ(Get(node_->http_url() + "/readyz"), "ok\n200");
  const std::string ocsp = "openssl ocsp -issuer " + (ca_ / "ca/issuing.pem").string() +
                           " -CAfile " + (ca_ / "ca/root.pem").string() + " -cert " +
                           (ca_ / "tls/chain.pem").string() + " -url " + node_->http_url() + "/ocsp";
  EXPECT_NE(fakes::RunCommand(ocsp).output.find(": good"), std::string::npos);
  EXPECT_EQ(NumberOfIssuingCrl(), 1u) << "init's";
  EXPECT_EQ(HeldKeys(), std::vector<std::string>{kOcspKey});
}

TEST_F(NodeTest, AResponderSaysWhatItLacksAndTakesItUpWhenItComes) {
  Start("ocsp");
  const auto sqlite = [&](const std::string& statement) {
    const auto done = fakes::RunCommand("python3 -c \"import sqlite3; c = sqlite3.connect('" +
                                        (ca_ / "db/agentca.sqlite").string() +
                                        "', isolation_level=None); c.execute('" + statement + "')\"");
    ASSERT_EQ(done.exit_code, 0) << done.output;
  };
  sqlite("UPDATE document SET name = replace(name, \\'crl/\\', \\'away/\\')");
  StartAgain();
  node_->Open();
  EXPECT_EQ(Get(node_->http_url() + "/readyz"), "crl\n503");
  sqlite("UPDATE document SET name = replace(name, \\'away/\\', \\'crl/\\')");
  EXPECT_TRUE(
      fakes::Eventually([&] { return Get(node_->http_url() + "/readyz") == "ok\n200"; }));
}

TEST_F(NodeTest, AnAcmeNodePublishesAndIsAskedForItsHealthOverTls) {
  Start("acme");
  node_->Open();
  EXPECT_EQ(node_->http_url() + node_->admin_url(), "");
  EXPECT_EQ(Get(node_->health_url() + "/readyz"), "ok\n200");
  EXPECT_NE(Get(node_->directory_url()).find("newOrder"), std::string::npos);
  EXPECT_TRUE(fakes::Eventually([&] { return NumberOfIssuingCrl() > 1; }));
  EXPECT_EQ(HeldKeys(), (std::vector<std::string>{kRootKey, kIssuingKey}));
}

TEST_F(NodeTest, AnAdminNodeIsAskedForItsHealthWithACertificate) {
  Start("admin");
  node_->Open();
  EXPECT_EQ(node_->http_url() + node_->directory_url(), "");
  EXPECT_EQ(Get(node_->health_url() + "/healthz"), "ok\n200");
  EXPECT_EQ(Get(node_->health_url() + "/readyz"), "ok\n200");
  EXPECT_TRUE(Get(node_->admin_url() + "/admin/v1/agents").ends_with("200"));
}

}  // namespace
}  // namespace agentca::cli
