#include "acme/cli/settings.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

class SettingsTest : public testing::Test {
 protected:
  void Conf(std::string_view text) { std::ofstream(ConfPath()) << text; }
  std::string ConfPath() const { return (directory_ / "agentca.conf").string(); }
  Result<Settings> Read(Command command, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--dir", directory_.path().string()});
    return Settings::Read(command, arguments);
  }
  std::string Fault(Command command, std::vector<std::string> arguments) {
    const auto settings = Read(command, std::move(arguments));
    if (settings.ok()) return "none";
    EXPECT_EQ(settings.error().code, Code::kMalformed);
    return settings.error().detail;
  }

  fakes::TemporaryDirectory directory_;
};

TEST_F(SettingsTest, CommandLineComesBeforeFileAndFileBeforeDefault) {
  Conf("acme-threads = 5\nhttp-threads = 6\n");
  const auto settings = Read(Command::kServe, {"--acme-threads", "7"});
  ASSERT_TRUE(settings.ok()) << settings.error().detail;
  EXPECT_EQ(settings->Text("acme-threads"), "7");
  EXPECT_EQ(settings->Text("http-threads"), "6");
  EXPECT_EQ(settings->Text("io-threads"), "2");
  EXPECT_EQ(settings->Origin("acme-threads"), "--acme-threads");
  EXPECT_EQ(settings->Origin("http-threads"), ConfPath() + ":2: http-threads");
}

TEST_F(SettingsTest, AListOnTheCommandLineReplacesTheOneInTheFile) {
  Conf("allow-names = a.test\nallow-names = b.test\n");
  const auto from_file = Read(Command::kServe, {});
  ASSERT_TRUE(from_file.ok());
  EXPECT_EQ(from_file->List("allow-names"), (std::vector<std::string>{"a.test", "b.test"}));
  const auto replaced = Read(Command::kServe, {"--allow-names", "c.test", "d.test"});
  ASSERT_TRUE(replaced.ok());
  EXPECT_EQ(replaced->List("allow-names"), (std::vector<std::string>{"c.test", "d.test"}));
}

TEST_F(SettingsTest, IgnoresCommentsAndBlankLines) {
  Conf("# http-threads = 1\n\n   \t\n  http-threads   =  9   # nine\r\n");
  const auto settings = Read(Command::kServe, {});
  ASSERT_TRUE(settings.ok()) << settings.error().detail;
  EXPECT_EQ(settings->Text("http-threads"), "9");
}

TEST_F(SettingsTest, NamesFileAndLineOfAnUnknownKey) {
  Conf("http-threads = 1\nhttp-treads = 2\n");
  EXPECT_EQ(Fault(Command::kServe, {}), ConfPath() + ":2: unknown key 'http-treads'");
}

TEST_F(SettingsTest, NamesBothLinesOfAKeyThatStandsTwice) {
  Conf("http-threads = 1\n\nhttp-threads = 2\n");
  EXPECT_EQ(Fault(Command::kServe, {}), ConfPath() + ":3: http-threads was already set on line 1");
}

TEST_F(SettingsTest, RefusesSectionsAndLinesWithoutAValue) {
  Conf("[server]\n");
  EXPECT_EQ(Fault(Command::kServe, {}), ConfPath() + ":1: sections are not known here");
  Conf("http-threads\n");
  EXPECT_EQ(Fault(Command::kServe, {}), ConfPath() + ":1: expected KEY = VALUE");
}

TEST_F(SettingsTest, RefusesOptionsThatAreNotKeys) {
  Conf("json = yes\n");
  EXPECT_EQ(Fault(Command::kStatus, {}), ConfPath() + ":1: unknown key 'json'");
}

TEST_F(SettingsTest, RefusesAbbreviationsAndOptionsOfOtherCommands) {
  Conf("");
  EXPECT_NE(Fault(Command::kServe, {"--acme-thr", "1"}).find("--acme-thr"), std::string::npos);
  EXPECT_NE(Fault(Command::kServe, {"--key-type", "p256"}).find("--key-type"), std::string::npos);
  EXPECT_NE(Fault(Command::kStatus, {"--reason", "superseded"}).find("--reason"),
            std::string::npos);
}

TEST_F(SettingsTest, RefusesAnOptionGivenTwice) {
  Conf("");
  EXPECT_EQ(Fault(Command::kServe, {"--profile", "a", "--profile", "b"}),
            "--profile: may be given only once");
}

TEST_F(SettingsTest, TakesOneSerialAndNoMore) {
  Conf("");
  const auto settings = Read(Command::kCertShow, {"01ab"});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->positional(), "01ab");
  EXPECT_EQ(Fault(Command::kCertShow, {}), "SERIAL is required");
  EXPECT_EQ(Fault(Command::kCertShow, {"01", "02"}), "unexpected argument '02'");
  EXPECT_EQ(Fault(Command::kServe, {"now"}), "unexpected argument 'now'");
}

TEST_F(SettingsTest, NeedsADirectory) {
  const auto settings = Settings::Read(Command::kServe, {});
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().detail, "--dir DIR is required");
}

TEST_F(SettingsTest, AClientOfAnAdminApiElsewhereNeedsNone) {
  const auto remote = Settings::Read(
      Command::kAgentList, std::vector<std::string>{"--admin-url", "https://ca.test:14443"});
  ASSERT_TRUE(remote.ok()) << remote.error().detail;
  EXPECT_TRUE(remote->directory().empty());
  EXPECT_FALSE(Settings::Read(Command::kAgentList, {}).ok());
}

TEST_F(SettingsTest, SaysThatADirectoryIsNotInitialised) {
  const auto settings = Read(Command::kServe, {});
  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().code, Code::kNotFound);
  EXPECT_NE(settings.error().detail.find(ConfPath()), std::string::npos);
}

TEST_F(SettingsTest, HelpIsAnsweredWithoutADirectory) {
  const auto settings = Settings::Read(Command::kServe, std::vector<std::string>{"--help"});
  ASSERT_TRUE(settings.ok());
  EXPECT_TRUE(settings->help());
}

TEST_F(SettingsTest, NoOptionTakesASecret) {
  for (const Option& option : OptionTable())
    for (const char* word : {"password", "passphrase", "secret"})
      EXPECT_EQ(option.name.find(word), std::string::npos) << option.name;
  EXPECT_EQ(FindOption("pin"), nullptr);
  EXPECT_EQ(FindOption("pin-file")->argument, "FILE");
}

}  // namespace
}  // namespace agentca::cli
