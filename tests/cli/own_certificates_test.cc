#include "acme/cli/own_certificates.h"

#include <gtest/gtest.h>

#include <fstream>

#include "acme/cli/profiles.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

class TlsNamesTest : public testing::Test {
 protected:
  TlsNames Names(const std::string& conf, const std::vector<std::string>& constraints = {}) {
    std::ofstream(directory_ / "agentca.conf") << "trust-domain = example.test\n" << conf;
    const auto settings = Settings::Read(
        Command::kServe, std::vector<std::string>{"--dir", directory_.path().string()});
    EXPECT_TRUE(settings.ok());
    const auto config = Config::Make(*settings);
    EXPECT_TRUE(config.ok());
    for (const auto& file : InitialProfiles(constraints))
      if (file.name == "issuing")
        return TlsNames::Of(*config, ParseProfile(file.name, file.json).value());
    return {};
  }
  fakes::TemporaryDirectory directory_;
  const Bytes kLoopback4 = {127, 0, 0, 1};
  const Bytes kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
};

TEST_F(TlsNamesTest, AreTheDnsNamesAndTheLoopbackAddresses) {
  const auto names = Names("dns-name = localhost\ndns-name = ca.test\n");
  EXPECT_EQ(names.dns_names, (std::vector<std::string>{"ca.test", "localhost"}));
  EXPECT_EQ(names.ip_addresses, (std::vector<Bytes>{kLoopback6, kLoopback4}));
}

TEST_F(TlsNamesTest, IncludeTheAddressThatIsListenedOn) {
  EXPECT_EQ(Names("acme-listen = 192.0.2.7:443\n").ip_addresses.size(), 3u);
  EXPECT_EQ(Names("acme-listen = 0.0.0.0:443\n").ip_addresses.size(), 2u);
  EXPECT_EQ(Names("acme-listen = [::]:443\n").ip_addresses.size(), 2u);
  EXPECT_EQ(Names("admin-listen = 192.0.2.8:443\n").ip_addresses.size(), 3u);
  EXPECT_EQ(Names("admin-listen = none\n").ip_addresses.size(), 2u);
}

TEST_F(TlsNamesTest, LeaveOutWhatNameConstraintsExclude) {
  const auto names = Names("dns-name = ca.a.test\n", {"a.test"});
  EXPECT_EQ(names.dns_names, std::vector<std::string>{"ca.a.test"});
  EXPECT_TRUE(names.ip_addresses.empty());
}

TEST(IsPermitted, TakesTheSuffixAndWhatIsUnderIt) {
  EXPECT_TRUE(IsPermitted("anything", {}));
  EXPECT_TRUE(IsPermitted("a.test", {"b.test", "a.test"}));
  EXPECT_TRUE(IsPermitted("x.y.a.test", {"a.test"}));
  EXPECT_FALSE(IsPermitted("xa.test", {"a.test"}));
  EXPECT_FALSE(IsPermitted("test", {"a.test"}));
}

}  // namespace
}  // namespace agentca::cli
