// `agentca join`: what a further node has from another, and what of its own.
#include "acme/cli/join.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "acme/cli/files.h"
#include "acme/cli/hierarchy.h"
#include "acme/cli/node_id.h"
#include "acme/cli/pem.h"
#include "tests/cli/program.h"
#include "tests/fakes/postgres_schema.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

class JoinTest : public testing::Test {
 protected:
  fakes::CommandResult Join(const std::string& more = "") const {
    return Agentca("join --dir " + node_.string() + " --from " + ca_.string() + " " + more);
  }
  // What join would write, for a node with these options.
  Result<ConfValues> Conf(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"--dir", node_.string(), "--from", ca_.string()});
    const auto joining = Settings::Read(Command::kJoin, arguments);
    if (!joining.ok()) return joining.error();
    const auto origin = NodeSettings::Read(ca_);
    if (!origin.ok()) return origin.error();
    return JoinedConf(*joining, *origin);
  }
  static std::string Content(const fs::path& file) {
    return std::string(AsText(fakes::ReadWholeFile(file)));
  }
  // Nothing is left of a join that failed.
  std::vector<std::string> Beside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_.path()))
      if (entry.path() != ca_) names.push_back(entry.path().filename().string());
    return names;
  }

  fakes::TemporaryDirectory directory_;
  const fs::path ca_ = directory_ / "ca";
  const fs::path node_ = directory_ / "node";
};

TEST_F(JoinTest, RefusesStoresThatOneNodeUsesAlone) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto sqlite = Join();
  EXPECT_EQ(sqlite.exit_code, 1);
  EXPECT_NE(sqlite.output.find("several nodes need PostgreSQL"), std::string::npos)
      << sqlite.output;
  std::ofstream(ca_ / "agentca.conf", std::ios::app) << "storage = memory:\n";
  EXPECT_NE(Join().output.find("several nodes need PostgreSQL"), std::string::npos);
  EXPECT_TRUE(Beside().empty());
}

TEST_F(JoinTest, RefusesWhatIsNoAuthority) {
  EXPECT_EQ(Agentca("join --dir " + node_.string()).exit_code, 2);
  const auto nothing = Join();
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_NE(nothing.output.find((ca_ / "agentca.conf").string()), std::string::npos)
      << nothing.output;
  fs::create_directory(ca_);
  EXPECT_NE(Join().output.find("cannot read " + (ca_ / "agentca.conf").string()),
            std::string::npos);
  std::ofstream(ca_ / "agentca.conf") << "trust-domain = example.test\n"
                                         "storage = postgresql://nobody@127.0.0.1:1/none\n";
  const auto empty = Join();
  EXPECT_EQ(empty.exit_code, 1);
  EXPECT_NE(empty.output.find("root.pem"), std::string::npos) << empty.output;
  EXPECT_TRUE(Beside().empty());
}

TEST_F(JoinTest, RefusesADirectoryThatExists) {
  fs::create_directory(ca_);
  fs::create_directory(node_);
  std::ofstream(ca_ / "agentca.conf") << "trust-domain = example.test\n"
                                         "storage = postgresql://nobody@127.0.0.1:1/none\n";
  const auto join = Join();
  EXPECT_EQ(join.exit_code, 3) << join.output;
  EXPECT_TRUE(fs::is_empty(node_));
}

TEST_F(JoinTest, KeepsTheSettingsOfTheOtherNodeButForWhatIsItsOwn) {
  ASSERT_EQ(Init(ca_,
                 "--dns-name ca.example.test --acme-listen 127.0.0.1:7443 --role ocsp,acme "
                 "--signer-socket /run/agentca/signer --crl-lifetime 2d --allow-names example.test")
                .exit_code,
            0);
  const auto origin = NodeSettings::Read(ca_);
  ASSERT_TRUE(origin.ok());
  const auto conf = Conf({"--http-listen", "192.0.2.1:80", "--role", "ocsp"});
  ASSERT_TRUE(conf.ok()) << conf.error().detail;
  const auto value = [&](const char* key) {
    const auto found = conf->find(key);
    return found == conf->end() ? "" : found->second.front();
  };
  EXPECT_EQ(value("trust-domain"), "example.test");
  EXPECT_EQ(value("crl-lifetime"), "2d");
  EXPECT_EQ(value("allow-names"), "example.test");
  EXPECT_EQ(value("dns-name"), "ca.example.test");
  EXPECT_EQ(value("http-external-url"), "http://ca.example.test:14080");
  EXPECT_EQ(value("external-url"), "https://ca.example.test:7443");
  EXPECT_EQ(value("http-listen"), "192.0.2.1:80");
  EXPECT_EQ(value("role"), "ocsp");
  for (const char* own : {"acme-listen", "admin-listen", "signer-socket"}) EXPECT_EQ(value(own), "");
  // What is outside of the new directory is named by its whole path.
  EXPECT_EQ(value("pin-file"), origin->config.signer.token.pin_file.string());
  EXPECT_TRUE(fs::exists(value("pin-file"))) << value("pin-file");
  EXPECT_TRUE(fs::exists(value("softhsm2-conf"))) << value("softhsm2-conf");
  ASSERT_EQ(conf->find("signer-key")->second.size(), 3u);
  EXPECT_TRUE(value("signer-key").ends_with(" ca/root.pem")) << value("signer-key");
}

TEST_F(JoinTest, NamesTheSocketOfItsOwnSignerByTheWholePath) {
  ASSERT_EQ(Init(ca_, "--signer-socket /run/agentca/signer").exit_code, 0);
  const auto whole = Conf({"--signer-socket", "/run/agentca/./second"});
  ASSERT_TRUE(whole.ok()) << whole.error().detail;
  EXPECT_EQ(whole->at("signer-socket"), std::vector<std::string>{"/run/agentca/second"});
  const auto relative = Conf({"--signer-socket", "second"});
  ASSERT_TRUE(relative.ok()) << relative.error().detail;
  EXPECT_EQ(relative->at("signer-socket"),
            std::vector<std::string>{(fs::current_path() / "second").string()});
}

TEST_F(JoinTest, AnAuthorityWithSeveralNodesNeedsOneUrl) {
  ASSERT_EQ(Init(ca_, "--acme-listen 127.0.0.1:0").exit_code, 0);
  const auto conf = Conf();
  ASSERT_FALSE(conf.ok());
  EXPECT_NE(conf.error().detail.find("external-url"), std::string::npos) << conf.error().detail;
}

// The store is SQLite here, which knows what PostgreSQL would.
TEST_F(JoinTest, MakesTheDirectoryOfAResponder) {
  ASSERT_EQ(Init(ca_, "--dns-name ca.example.test").exit_code, 0);
  const auto origin = NodeSettings::Read(ca_);
  ASSERT_TRUE(origin.ok());
  auto conf = Conf({"--role", "ocsp"});
  ASSERT_TRUE(conf.ok());
  conf->insert_or_assign("storage", std::vector<std::string>{origin->config.storage});
  ASSERT_TRUE(MakeDirectory(node_).ok());
  const auto node = CopyNode(*origin, *conf, node_);
  ASSERT_TRUE(node.ok()) << node.error().detail;
  for (const char* file : {"ca/root.pem", "ca/issuing.pem", "ca/ocsp.pem", "policy.json",
                           "profiles/issuing.json", "profiles/agent.json"})
    EXPECT_EQ(Content(node_ / file), Content(ca_ / file)) << file;
  for (const char* own : {"node-id", "tls/key.pem", "admin/admin.key", "log/audit.log", "token"})
    EXPECT_FALSE(fs::exists(node_ / own)) << own;
  struct stat status {};
  ASSERT_EQ(::stat((node_ / "agentca.conf").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // A responder needs no more, and the store must be that of the authority.
  const auto backend = storage::Open(node->config.storage, storage::OpenMode::kExisting, "node");
  ASSERT_TRUE(backend.ok());
  EXPECT_TRUE(EquipNode(node->config, **backend).ok());
  EXPECT_FALSE(fs::exists(node_ / "tls/key.pem"));
  const auto other = storage::Open("memory:", storage::OpenMode::kCreate);
  EXPECT_EQ(EquipNode(node->config, **other).error().code, Code::kConflict);
}

TEST_F(JoinTest, APasswordInTheUriIsRefusedBeforeAnythingIsDone) {
  const auto init = Init(ca_, "--storage postgresql://agentca:secret@127.0.0.1/agentca");
  EXPECT_EQ(init.exit_code, 2);
  EXPECT_NE(init.output.find("--storage: "), std::string::npos) << init.output;
  EXPECT_NE(init.output.find("passfile="), std::string::npos) << init.output;
  EXPECT_EQ(init.output.find("secret"), std::string::npos) << init.output;
  EXPECT_FALSE(fs::exists(ca_));
}

TEST_F(JoinTest, TwoNodesOfOneDatabase) {
  if (fakes::PostgresServer().empty()) GTEST_SKIP() << "AGENTCA_TEST_POSTGRES is not set";
  const auto init = Init(ca_, "--dns-name ca.example.test --storage '" +
                                  fakes::NewPostgresSchema() + "'");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  const fs::path socket = directory_ / "signer";
  const auto join =
      Join("--acme-listen 127.0.0.1:0 --admin-listen none --signer-socket " + socket.string());
  ASSERT_EQ(join.exit_code, 0) << join.output;
  EXPECT_EQ(NodeSettings::Read(node_)->config.signer.socket, socket);
  EXPECT_EQ(Beside(), std::vector<std::string>{"node"});
  const auto first = ReadCertificate(ca_ / "tls/chain.pem");
  const auto second = ReadCertificate(node_ / "tls/chain.pem");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first->key == second->key);
  EXPECT_EQ(first->dns_names, second->dns_names);
  OpenSslRandom random;
  EXPECT_NE(ReadNodeId(Directory(ca_), random).value(), ReadNodeId(Directory(node_), random).value());
  const auto verify = fakes::RunCommand("openssl verify -CAfile " + (ca_ / "ca/root.pem").string() +
                                        " -untrusted " + (node_ / "ca/issuing.pem").string() + " " +
                                        (node_ / "tls/chain.pem").string());
  EXPECT_EQ(verify.exit_code, 0) << verify.output;
  for (const fs::path& dir : {ca_, node_}) {
    const auto listed = Agentca("cert list --json --dir " + dir.string());
    EXPECT_NE(listed.output.find(second->serial.ToString()), std::string::npos) << listed.output;
    const auto audit = Agentca("audit verify --dir " + dir.string());
    EXPECT_EQ(audit.exit_code, 0) << audit.output;
  }
  EXPECT_EQ(Join().exit_code, 3);
}

}  // namespace
}  // namespace agentca::cli
