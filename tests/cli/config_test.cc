#include "acme/cli/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/open.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

using std::chrono::milliseconds;

class ConfigTest : public testing::Test {
 protected:
  // agentca.conf with a trust domain on line 1 and `text` from line 2 on.
  Result<Config> Read(std::string_view text, std::vector<std::string> arguments = {}) {
    std::ofstream(directory_ / "agentca.conf") << "trust-domain = example.test\n" << text;
    arguments.insert(arguments.begin(), {"--dir", directory_.path().string()});
    const auto settings = Settings::Read(Command::kServe, arguments);
    if (!settings.ok()) return settings.error();
    return Config::Make(*settings);
  }
  std::string Fault(std::string_view text, std::vector<std::string> arguments = {}) {
    const auto config = Read(text, std::move(arguments));
    if (config.ok()) return "none";
    EXPECT_EQ(config.error().code, Code::kMalformed);
    return config.error().detail;
  }
  std::string At(int line) const {
    return (directory_ / "agentca.conf").string() + ":" + std::to_string(line) + ": ";
  }

  fakes::TemporaryDirectory directory_;
};

TEST_F(ConfigTest, HasSafeDefaults) {
  const auto config = Read("");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->serving.acme_listen.address, "127.0.0.1");
  EXPECT_EQ(config->serving.acme_listen.port, 14000);
  EXPECT_EQ(config->serving.http_listen.port, 14080);
  EXPECT_EQ(config->identity.agents_zone, "agents.example.test");
  EXPECT_EQ(config->identity.organization, "example.test");
  EXPECT_EQ(config->identity.http_external_url, "http://127.0.0.1:14080");
  EXPECT_EQ(config->validation.challenges.size(), 3u);
  EXPECT_EQ(config->validation.http01_port, 80);
  const acme::NetworkPolicy policy(config->validation.allow, config->validation.deny);
  EXPECT_FALSE(policy.Check(Bytes{127, 0, 0, 1}).ok());
  EXPECT_FALSE(policy.Check(Bytes{169, 254, 169, 254}).ok());
  EXPECT_TRUE(policy.Check(Bytes{192, 0, 2, 1}).ok());
  EXPECT_TRUE(config->policy.allow_names.empty());
  EXPECT_EQ(config->crl.keep_expired, 2 * config->crl.lifetime);
  EXPECT_EQ(config->storage_connections, storage::kConnections);
}

TEST_F(ConfigTest, ConnectionsToTheDatabaseAreWithinReason) {
  EXPECT_EQ(Read("storage-connections = 4\n")->storage_connections, 4u);
  EXPECT_EQ(Read("storage-connections = 4\n", {"--storage-connections", "1000"})
                ->storage_connections,
            1000u);
  for (const char* text : {"3", "1001", "many"})
    EXPECT_EQ(Fault("storage-connections = " + std::string(text) + "\n"),
              At(2) + "storage-connections: '" + text + "' is not a number from 4 to 1000");
}

TEST_F(ConfigTest, FileNamesInTheFileStartAtTheDirectory) {
  const auto config = Read("pin-file = secrets/pin\nstorage = sqlite:db/x.sqlite\n");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->signer.token.pin_file, directory_ / "secrets/pin");
  EXPECT_EQ(config->storage, "sqlite:" + (directory_ / "db/x.sqlite").string());
}

TEST_F(ConfigTest, FileNamesOnTheCommandLineStartAtTheWorkingDirectory) {
  const auto config = Read("", {"--storage", "sqlite:x.sqlite"});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->storage, "sqlite:" + (std::filesystem::current_path() / "x.sqlite").string());
}

TEST_F(ConfigTest, ReadsWhatAgentsCertificatesAre) {
  EXPECT_EQ(Read("")->agents.profile, "agent");
  EXPECT_EQ(Read("")->agents.arc, "1.3.6.1.4.1.32473.1");
  const auto config = Read("agent-arc = 1.3.6.1.4.1.99999.7\nagents-profile = bots\n");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->agents.arc, "1.3.6.1.4.1.99999.7");
  EXPECT_EQ(config->agents.profile, "bots");
  EXPECT_EQ(Fault("agent-arc = 1.3.x\n"), At(2) + "agent-arc: '1.3.x' is not an object identifier");
  EXPECT_NE(Fault("agent-arc = 2.25.340282366920938463463374607431768211455\n"), "none");
  EXPECT_EQ(Fault("agents-profile = ../x\n"),
            At(2) + "agents-profile: '../x' is not the name of a profile");
}

TEST_F(ConfigTest, ReadsTheRolesOfTheNode) {
  EXPECT_EQ(Read("")->serving.roles, Roles());
  EXPECT_EQ(Read("role = ocsp\n")->serving.roles.ToString(), "ocsp");
  EXPECT_EQ(Read("role = ocsp\n", {"--role", "admin,acme"})->serving.roles.ToString(),
            "acme,admin");
  EXPECT_EQ(Fault("role = acme,ca\n"), At(2) + "role: 'ca' is not a role: acme, ocsp or admin");
  EXPECT_EQ(Fault("", {"--role", "acme,acme"}), "--role: 'acme' is there twice");
  EXPECT_NE(Fault("", {"--role", ""}).find("a role is missing"), std::string::npos);
  EXPECT_NE(Fault("role = admin\nadmin-listen = none\n").find("role"), std::string::npos);
  EXPECT_TRUE(Read("role = acme,admin\nadmin-listen = none\n").ok());
}

TEST_F(ConfigTest, ReadsTheKeyTable) {
  const auto config =
      Read("signer-key = issuing certificate,crl pkcs11:token=t;object=issuing ca/issuing.pem\n");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  ASSERT_EQ(config->signer.keys.size(), 1u);
  EXPECT_EQ(config->signer.keys[0].name, "issuing");
  EXPECT_EQ(config->signer.keys[0].certificate_file, (directory_ / "ca/issuing.pem").string());
}

TEST_F(ConfigTest, NamesFileLineAndKeyOfABadValue) {
  EXPECT_EQ(Fault("\nhttp01-port = 70000\n"),
            At(3) + "http01-port: '70000' is not a number from 1 to 65535");
  EXPECT_EQ(Fault("acme-listen = localhost:1\n"),
            At(2) + "acme-listen: 'localhost:1' is not ADDR:PORT with a numeric address");
  EXPECT_TRUE(Fault("validation-deny = 10.0.0.0/33\n").starts_with(At(2) + "validation-deny: "));
  EXPECT_TRUE(
      Fault("signer-key = issuing paint pkcs11:object=x\n").starts_with(At(2) + "signer-key: "));
}

TEST_F(ConfigTest, NamesTheOptionOfABadValueOnTheCommandLine) {
  EXPECT_EQ(Fault("http01-port = 80\n", {"--http01-port", "0"}),
            "--http01-port: '0' is not a number from 1 to 65535");
}

TEST_F(ConfigTest, RefusesWhatMakesNoSense) {
  const char* const kFaults[] = {
      "log-level = loud",
      "dns-name = UPPER.test",
      "dns-name = -x.test",
      "dns-name = a..b",
      "external-url = http://x",
      "http-external-url = https://x",
      "challenge = http-02",
      "allow-ip-identifiers = 1",
      "serial-prefix = 0",
      "serial-prefix = 128",
      "profile = ../server",
      "profile = .hidden",
      "order-lifetime = 1",
      "order-lifetime = 500ms",
      "order-lifetime = -1d",
      "crl-interval = 13h",
      "storage = sqlite:",
      "max-body = 12x",
      "agents-zone = under_score.test",
      "pkcs11-module = /usr/lib/module.so",
  };
  for (const char* fault : kFaults) {
    const std::string key(fault, std::string_view(fault).find(' '));
    EXPECT_NE(Fault(fault).find(key == "pkcs11-module" ? "token-label" : key), std::string::npos)
        << fault << ": " << Fault(fault);
  }
}

TEST_F(ConfigTest, UrlsInCertificatesNeedAPortThatIsKnown) {
  EXPECT_TRUE(Fault("http-listen = 127.0.0.1:0\n").find("http-external-url") != std::string::npos);
  EXPECT_TRUE(Read("http-listen = 127.0.0.1:0\nhttp-external-url = http://ca.test/\n").ok());
}

TEST_F(ConfigTest, AnOrganizationTooLongForACertificateIsRefused) {
  EXPECT_NE(Fault("organization = " + std::string(65, 'x')).find("64"), std::string::npos);
}

TEST(ParseDuration, KnowsItsUnits) {
  EXPECT_EQ(ParseDuration("250ms").value(), milliseconds(250));
  EXPECT_EQ(ParseDuration("90s").value(), milliseconds(90'000));
  EXPECT_EQ(ParseDuration("15m").value(), std::chrono::minutes(15));
  EXPECT_EQ(ParseDuration("12h").value(), std::chrono::hours(12));
  EXPECT_EQ(ParseDuration("7d").value(), std::chrono::hours(168));
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text :
       {"", "s", "5", "5 s", "-5s", "5w", "1.5h", "99999999999999999999s", "9999999999999999d"})
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
}

TEST(Endpoint, TakesNumericAddressesOnly) {
  const auto v6 = Endpoint::Parse("[::1]:443");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->address, "::1");
  EXPECT_EQ(v6->port, 443);
  EXPECT_EQ(Endpoint::Parse("0.0.0.0:0").value().port, 0);
  for (const char* text : {"", ":1", "1.2.3.4", "::1:443", "[1.2.3.4]:1", "1.2.3.4:65536",
                           "1.2.3.4:", "host:1", "[]:1", "1.2.3.4:x"})
    EXPECT_FALSE(Endpoint::Parse(text).ok()) << text;
}

}  // namespace
}  // namespace agentca::cli
