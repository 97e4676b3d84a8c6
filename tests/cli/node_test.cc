// One node in the test's own process, with `agentca signer` beside it.
#include "acme/cli/node.h"

#include <gtest/gtest.h>

#include "tests/cli/program.h"
#include "tests/fakes/child_process.h"

namespace agentca::cli {
namespace {

class NodeTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto init = Init(ca_, "--signer-socket " + (directory_ / "signer").string());
    ASSERT_EQ(init.exit_code, 0) << init.output;
    signer_.emplace(
        std::vector<std::string>{AGENTCA_TEST_PROGRAM, "signer", "--dir", ca_.string()});
    const auto settings = Settings::Read(
        Command::kServe,
        std::vector<std::string>{"--dir", ca_.string(), "--acme-listen", "127.0.0.1:0",
                                 "--http-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"});
    ASSERT_TRUE(settings.ok()) << settings.error().detail;
    auto config = Config::Make(*settings);
    ASSERT_TRUE(config.ok()) << config.error().detail;
    auto node = Node::Start(*config);
    ASSERT_TRUE(node.ok()) << node.error().detail;
    node_ = std::move(node).value();
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
  std::unique_ptr<Node> node_;
};

TEST_F(NodeTest, NothingIsAcceptedAndNobodySeesItReadyUntilItOpens) {
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

}  // namespace
}  // namespace agentca::cli
