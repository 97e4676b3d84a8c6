// `agentca init`, looked at with other people's tools.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "acme/cli/files.h"
#include "acme/cli/policy.h"
#include "acme/cli/profiles.h"
#include "tests/cli/program.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;
using fakes::RunCommand;

// Everything below a directory: path → mode and content.
std::map<std::string, std::string> Snapshot(const fs::path& directory) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat status {};
    EXPECT_EQ(::stat(entry.path().c_str(), &status), 0);
    std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_mtime);
    if (entry.is_regular_file()) text += ToHex(Sha256(fakes::ReadWholeFile(entry.path())));
    out[entry.path().string()] = text;
  }
  return out;
}

class InitTest : public testing::Test {
 protected:
  fs::path Path(const std::string& name) const { return directory_ / ("ca/" + name); }
  std::string Quoted(const std::string& name) const { return "'" + Path(name).string() + "'"; }
  // "key = value" of agentca.conf; paths are made absolute as agentca does.
  std::string Conf(const std::string& key) const {
    std::ifstream in(Path("agentca.conf"));
    for (std::string line; std::getline(in, line);)
      if (line.starts_with(key + " = ")) return line.substr(key.size() + 3);
    return "";
  }
  std::string Pkcs11Tool(const std::string& arguments) const {
    const fs::path pin = Path(Conf("pin-file"));
    return "SOFTHSM2_CONF=" + Quoted(Conf("softhsm2-conf")) + " pkcs11-tool --module " +
           Conf("pkcs11-module") + " --token-label " + Conf("token-label") +
           " --login --pin \"$(head -n 1 '" + pin.string() + "')\" " + arguments;
  }

  fakes::TemporaryDirectory directory_;
  const fs::path ca_ = directory_ / "ca";
};

TEST_F(InitTest, MakesAChainThatOpensslVerifiesWithItsCrls) {
  const auto init = Init(ca_, "--dns-name ca.example.test");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  std::string crls;
  for (const auto& entry : fs::directory_iterator(Path("crl"))) {
    const std::string pem = (directory_ / entry.path().filename().string()).string() + ".pem";
    const auto converted = RunCommand("openssl crl -inform DER -in '" + entry.path().string() +
                                      "' -out '" + pem + "'");
    ASSERT_EQ(converted.exit_code, 0) << converted.output;
    crls += " -CRLfile '" + pem + "'";
  }
  const std::string verify = "openssl verify -x509_strict -crl_check_all" + crls + " -CAfile " +
                             Quoted("ca/root.pem") + " -untrusted " + Quoted("ca/issuing.pem");
  const auto tls = RunCommand(verify + " -purpose sslserver -verify_hostname ca.example.test " +
                              Quoted("tls/chain.pem"));
  EXPECT_EQ(tls.exit_code, 0) << tls.output;
  const auto ip = RunCommand(verify + " -verify_ip 127.0.0.1 " + Quoted("tls/chain.pem"));
  EXPECT_EQ(ip.exit_code, 0) << ip.output;
  const auto ocsp = RunCommand(verify + " -purpose ocsphelper " + Quoted("ca/ocsp.pem"));
  EXPECT_EQ(ocsp.exit_code, 0) << ocsp.output;
  const auto issuing = RunCommand("openssl x509 -noout -text -in " + Quoted("ca/issuing.pem"));
  EXPECT_NE(issuing.output.find("CA:TRUE, pathlen:0"), std::string::npos) << issuing.output;
  EXPECT_EQ(issuing.output.find("Name Constraints"), std::string::npos);
}

TEST_F(InitTest, TheTokenConfirmsThatKeysAreSensitiveAndSignOnly) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto listed = RunCommand(Pkcs11Tool("--list-objects --type privkey"));
  ASSERT_EQ(listed.exit_code, 0) << listed.output;
  size_t keys = 0;
  std::istringstream lines(listed.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("Private Key Object") != std::string::npos) ++keys;
    if (const auto at = line.find("Usage:"); at != std::string::npos) {
      EXPECT_EQ(line.substr(line.find_first_not_of(' ', at + 6)), "sign") << listed.output;
    }
    if (const auto at = line.find("Access:"); at != std::string::npos) {
      for (const char* attribute :
           {"sensitive", "always sensitive", "never extractable", "local"}) {
        EXPECT_NE(line.find(attribute), std::string::npos) << listed.output;
      }
    }
  }
  EXPECT_EQ(keys, 3u) << listed.output;
  for (const char* label : {"root", "issuing", "ocsp"}) {
    EXPECT_NE(listed.output.find("label:      " + std::string(label)), std::string::npos)
        << listed.output;
  }
}

TEST_F(InitTest, SecretsAreForTheirOwnerAlone) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto mode = [&](const fs::path& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777;
  };
  EXPECT_EQ(mode(ca_), 0700u);
  for (const char* folder : {"ca", "tls", "admin", "db", "crl", "log", "profiles", "token"}) {
    EXPECT_EQ(mode(Path(folder)), 0700u) << folder;
  }
  EXPECT_EQ(mode(Path("tls/key.pem")), 0600u);
  EXPECT_EQ(mode(Path("admin/admin.key")), 0600u);
  EXPECT_EQ(mode(Path("agentca.conf")), 0600u);
  EXPECT_EQ(mode(Path(Conf("pin-file"))) & 077, 0u);
  const auto conf = fakes::ReadWholeFile(Path("agentca.conf"));
  const auto pin = fakes::ReadWholeFile(Path(Conf("pin-file")));
  ASSERT_FALSE(pin.empty());
  const std::string first_line(AsText(pin).substr(0, AsText(pin).find('\n')));
  EXPECT_EQ(AsText(conf).find(first_line), std::string_view::npos);
}

TEST_F(InitTest, WritesThePolicyOfAgentsAndTheProfilesOfTheirCertificates) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const Directory directory(ca_);
  EXPECT_EQ(AsText(fakes::ReadWholeFile(directory.PolicyFile())), PolicyText(ca::DefaultPolicy()));
  EXPECT_TRUE(ReadIssuancePolicy(directory).ok());
  for (const char* name : {"agent", "agent-annual-hsm", "admin"}) {
    EXPECT_TRUE(ReadProfile(directory, name).ok()) << name;
  }
}

TEST_F(InitTest, ASecondRunChangesNothingAndSaysSo) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto before = Snapshot(ca_);
  const auto second = Init(ca_, "--key-type p384");
  EXPECT_EQ(second.exit_code, 3);
  EXPECT_NE(second.output.find("nothing was changed"), std::string::npos) << second.output;
  EXPECT_EQ(Snapshot(ca_), before);
}

TEST_F(InitTest, LeavesADirectoryOfSomebodyElseAlone) {
  fs::create_directory(ca_);
  std::ofstream(Path("precious")) << "data";
  const auto before = Snapshot(ca_);
  const auto init = Init(ca_);
  EXPECT_EQ(init.exit_code, 3);
  EXPECT_NE(init.output.find("nothing was changed"), std::string::npos) << init.output;
  EXPECT_EQ(Snapshot(ca_), before);
}

TEST_F(InitTest, AFailedRunLeavesNothingAndCanBeRepeated) {
  const std::string pin = (directory_ / "pin").string();
  ASSERT_TRUE(WriteTextFile(pin, "1234\n", kSecretFile).ok());
  const auto bad_module = Init(ca_,
                               "--pkcs11-module /nonexistent/module.so --token-label x "
                               "--pin-file " +
                                   pin);
  EXPECT_EQ(bad_module.exit_code, 1);
  EXPECT_NE(bad_module.output.find("/nonexistent/module.so"), std::string::npos)
      << bad_module.output;
  EXPECT_FALSE(fs::exists(ca_));
  EXPECT_EQ(Init(ca_).exit_code, 0);
}

TEST_F(InitTest, ARunThatDiedHalfWayIsTakenUpAgain) {
  // What `kill -9` leaves: the marker, and some of the files.
  fs::create_directories(Path("ca"));
  std::ofstream(Path("init-unfinished")).flush();
  std::ofstream(Path("ca/root.pem")) << "half";
  const auto init = Init(ca_);
  EXPECT_EQ(init.exit_code, 0) << init.output;
  EXPECT_FALSE(fs::exists(Path("init-unfinished")));
}

TEST_F(InitTest, NeedsTheParentDirectory) {
  const auto init = Init(directory_ / "no/parent");
  EXPECT_EQ(init.exit_code, 1);
  EXPECT_NE(init.output.find((directory_ / "no/parent").string()), std::string::npos);
  EXPECT_FALSE(fs::exists(directory_ / "no"));
}

TEST_F(InitTest, AWrongPinIsNamedAndLeavesNothing) {
  // A token of the operator's own: made by init elsewhere, then used with another PIN.
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const std::string pin = (directory_ / "pin").string();
  ASSERT_TRUE(WriteTextFile(pin, "not-the-pin\n", kSecretFile).ok());
  const auto other =
      RunCommand("SOFTHSM2_CONF=" + Quoted(Conf("softhsm2-conf")) + " " + AGENTCA_TEST_PROGRAM +
                 " init --dir " + (directory_ / "other").string() + " --trust-domain other.test" +
                 " --pkcs11-module " + Conf("pkcs11-module") + " --token-label " +
                 Conf("token-label") + " --pin-file " + pin);
  EXPECT_EQ(other.exit_code, 1) << other.output;
  EXPECT_NE(other.output.find("PIN"), std::string::npos) << other.output;
  EXPECT_EQ(other.output.find("not-the-pin"), std::string::npos) << "the PIN was shown";
  EXPECT_FALSE(fs::exists(directory_ / "other"));
}

TEST_F(InitTest, UsesATokenOfTheOperators) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto other =
      RunCommand("SOFTHSM2_CONF=" + Quoted(Conf("softhsm2-conf")) + " " + AGENTCA_TEST_PROGRAM +
                 " init --dir " + (directory_ / "other").string() + " --trust-domain other.test" +
                 " --pkcs11-module " + Conf("pkcs11-module") + " --token-label " +
                 Conf("token-label") + " --pin-file " + Path(Conf("pin-file")).string());
  ASSERT_EQ(other.exit_code, 0) << other.output;
  EXPECT_FALSE(fs::exists(directory_ / "other/token"));
  const auto listed = RunCommand(Pkcs11Tool("--list-objects --type privkey"));
  size_t keys = 0;
  for (size_t at = 0; (at = listed.output.find("Private Key Object", at)) != std::string::npos;
       ++at)
    ++keys;
  EXPECT_EQ(keys, 6u) << listed.output;
}

TEST_F(InitTest, NameConstraintsReachTheCertificateAndTheServersNames) {
  const auto init =
      Init(ca_, "--name-constraint agents.test --dns-name ca.agents.test --key-type p384");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  const auto issuing = RunCommand("openssl x509 -noout -text -in " + Quoted("ca/issuing.pem"));
  EXPECT_NE(issuing.output.find("Name Constraints: critical"), std::string::npos);
  EXPECT_NE(issuing.output.find("DNS:agents.test"), std::string::npos) << issuing.output;
  EXPECT_NE(issuing.output.find("P-384"), std::string::npos);
  const auto verified = RunCommand("openssl verify -x509_strict -CAfile " + Quoted("ca/root.pem") +
                                   " -untrusted " + Quoted("ca/issuing.pem") +
                                   " -verify_hostname ca.agents.test " + Quoted("tls/chain.pem"));
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
}

TEST_F(InitTest, RefusesNamesThatItsOwnConstraintsExclude) {
  const auto outside = Init(ca_, "--name-constraint agents.test --dns-name ca.other.test");
  EXPECT_EQ(outside.exit_code, 2);
  EXPECT_NE(outside.output.find("--dns-name"), std::string::npos) << outside.output;
  EXPECT_EQ(Init(ca_, "--name-constraint agents.test").exit_code, 2);
  EXPECT_EQ(Init(ca_, "--name-constraint Agents.Test").exit_code, 2);
  EXPECT_FALSE(fs::exists(ca_));
}

TEST_F(InitTest, MakesRsaKeysOnRequest) {
  const auto init = Init(ca_, "--key-type rsa3072");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  const auto root = RunCommand("openssl x509 -noout -text -in " + Quoted("ca/root.pem"));
  EXPECT_NE(root.output.find("Public-Key: (3072 bit)"), std::string::npos) << root.output;
  EXPECT_EQ(Init(directory_ / "other", "--key-type dsa").exit_code, 2);
}

TEST_F(InitTest, WritesWhatWasSaidToTheConfiguration) {
  const auto init = Init(ca_,
                         "--acme-listen 127.0.0.1:14999 --allow-names a.test b.test "
                         "--organization 'Example Ltd'");
  ASSERT_EQ(init.exit_code, 0) << init.output;
  EXPECT_EQ(Conf("acme-listen"), "127.0.0.1:14999");
  EXPECT_EQ(Conf("organization"), "Example Ltd");
  EXPECT_EQ(Conf("trust-domain"), "example.test");
  EXPECT_TRUE(Conf("http-listen").empty());  // the default stays commented out
  const auto subject =
      RunCommand("openssl x509 -noout -subject -nameopt RFC2253 -in " + Quoted("ca/root.pem"));
  EXPECT_NE(subject.output.find("O=Example Ltd"), std::string::npos) << subject.output;
}

TEST_F(InitTest, RefusesTextThatWouldForgeALineOfTheConfiguration) {
  EXPECT_EQ(Init(ca_, "--organization \"$(printf 'x\\nlog-level = debug')\"").exit_code, 2);
  EXPECT_EQ(Init(ca_, "--organization 'x # y'").exit_code, 2);
  EXPECT_FALSE(fs::exists(ca_));
}

TEST_F(InitTest, ItsLogsVerifyAndHoldEveryKeyAndCertificate) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  const auto verified = Agentca("audit verify --dir " + ca_.string());
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
  const std::string audit(AsText(fakes::ReadWholeFile(Path("log/audit.log"))));
  size_t generated = 0;
  for (size_t at = 0; (at = audit.find("key-generated", at)) != std::string::npos; ++at)
    ++generated;
  EXPECT_EQ(generated, 3u);
  const auto listed = Agentca("cert list --json --dir " + ca_.string());
  EXPECT_EQ(listed.exit_code, 0);
  for (const char* profile : {"issuing", "ocsp-delegate", "tls-server"}) {
    EXPECT_NE(audit.find("\"profile\":\"" + std::string(profile) + "\""), std::string::npos);
    EXPECT_NE(listed.output.find("\"profile\":\"" + std::string(profile) + "\""),
              std::string::npos);
  }
}

TEST_F(InitTest, ATamperedLogIsFound) {
  ASSERT_EQ(Init(ca_).exit_code, 0);
  auto audit = std::string(AsText(fakes::ReadWholeFile(Path("log/audit.log"))));
  audit.replace(audit.find("issuing"), 7, "Issuing");
  fakes::WriteFile(Path("log/audit.log"), AsBytes(audit));
  const auto verified = Agentca("audit verify --dir " + ca_.string());
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_NE(verified.output.find("FAULT"), std::string::npos) << verified.output;
}

}  // namespace
}  // namespace agentca::cli
