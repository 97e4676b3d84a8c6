// The table of options against man/agentca.1, man/agentca.conf.5, --help and agentca.conf.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "acme/cli/help.h"
#include "acme/cli/options.h"
#include "acme/cli/settings.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

// One documented option: the rest of its ".It" line, and the text below it.
struct Entry {
  std::string argument;  // "ADDR:PORT", "NAME ...", or ""
  std::string text;
};
using Entries = std::map<std::string, Entry>;

// Reads the ".It" lines that start with `macro` below each ".Ss" of an mdoc page: by subsection.
std::map<std::string, Entries> ReadManual(const std::string& page, const std::string& macro,
                                          const std::string& before_argument) {
  std::ifstream in(std::string(AGENTCA_TEST_MANUALS) + "/" + page);
  EXPECT_TRUE(in) << page;
  std::map<std::string, Entries> sections;
  std::string section;
  Entry* entry = nullptr;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(".Ss ") || line.starts_with(".Sh ")) section = line.substr(4);
    if (line.starts_with(".Ss ") || line.starts_with(".Sh ") || line.starts_with(".El"))
      entry = nullptr;
    if (line.starts_with(".It ")) entry = nullptr;
    if (line.starts_with(macro)) {
      const std::string rest = line.substr(macro.size());
      const std::string name = rest.substr(0, rest.find(' '));
      EXPECT_FALSE(sections[section].contains(name)) << page << ": " << name << " twice";
      entry = &sections[section][name];
      const auto at = rest.find(before_argument);
      if (at != std::string::npos) entry->argument = rest.substr(at + before_argument.size());
    } else if (entry != nullptr) {
      entry->text += line + "\n";
    }
  }
  return sections;
}

void ExpectDefault(const Entry& entry, const Option& option) {
  const std::string expected = "The default is\n.Li " + std::string(option.default_value) + " .\n";
  EXPECT_EQ(entry.text.find("The default is") != std::string::npos, !option.default_value.empty())
      << option.name;
  if (!option.default_value.empty()) {
    EXPECT_NE(entry.text.find(expected), std::string::npos) << option.name << "\n" << entry.text;
  }
}

bool IsCommon(const Option& option) {
  return option.name == "help" || option.name == "dir" || option.name == "log-level";
}

// Where agentca.1 documents the option for this command: common options once, and those that init
// and join share with serve under serve.
bool IsListedUnder(const Option& option, Command command) {
  if (!Has(option.commands, command) || IsCommon(option)) return false;
  const bool asks_admin_api = InfoOf(command).reads == Reads::kAdminApi;
  if (option.group == Group::kClient && asks_admin_api) return false;  // once, for all of them
  const bool makes_conf = command == Command::kInit || command == Command::kJoin;
  return !makes_conf || !Has(option.commands, Command::kServe);
}

std::string ManualArgument(const Option& option) {
  return std::string(option.argument) + (option.arity == Arity::kMany ? " ..." : "");
}

TEST(Manual, DocumentsEveryOptionOfEveryCommandAndNoOther) {
  auto manual = ReadManual("agentca.1", ".It Fl -", " Ar ");
  for (const CommandInfo& info : CommandTable()) {
    Entries& entries = manual["agentca " + std::string(info.words)];
    for (const Option& option : OptionTable()) {
      if (!IsListedUnder(option, info.command)) continue;
      const auto entry = entries.extract(std::string(option.name));
      ASSERT_FALSE(entry.empty()) << info.words << ": --" << option.name << " is not documented";
      EXPECT_EQ(entry.mapped().argument, ManualArgument(option)) << option.name;
      ExpectDefault(entry.mapped(), option);
    }
    for (const auto& [name, entry] : entries) {
      ADD_FAILURE() << info.words << ": the manual invents --" << name;
    }
  }
}

TEST(Manual, DocumentsTheCommonOptionsOnce) {
  auto manual = ReadManual("agentca.1", ".It Fl -", " Ar ");
  std::set<std::string> documented;
  for (const auto& [name, entry] : manual["Common options"]) documented.insert(name);
  std::set<std::string> expected;
  for (const Option& option : OptionTable())
    if (IsCommon(option)) expected.emplace(option.name);
  EXPECT_EQ(documented, expected);
  for (const CommandInfo& info : CommandTable())
    for (const Option& option : OptionTable()) {
      const bool beside_agent = info.reads == Reads::kOwnFile && option.name != "help";
      EXPECT_EQ(IsCommon(option) && Has(option.commands, info.command),
                IsCommon(option) && !beside_agent)
          << info.words;
    }
}

TEST(Manual, DocumentsTheOptionsOfClientsOfTheAdminApiOnce) {
  auto manual = ReadManual("agentca.1", ".It Fl -", " Ar ");
  Entries& entries = manual["Clients of the admin API"];
  for (const Option& option : OptionTable()) {
    if (option.group != Group::kClient) continue;
    const auto entry = entries.extract(std::string(option.name));
    ASSERT_FALSE(entry.empty()) << option.name << " is not documented";
    EXPECT_EQ(entry.mapped().argument, ManualArgument(option)) << option.name;
    for (const CommandInfo& info : CommandTable())
      EXPECT_TRUE(Has(option.commands, info.command) || info.reads != Reads::kAdminApi)
          << info.words;
  }
  EXPECT_TRUE(entries.empty());
}

TEST(Manual, DocumentsEveryKeyOfAgentcaConfUnderItsHeadingAndNoOther) {
  auto manual = ReadManual("agentca.conf.5", ".It Cm ", " No = Ar ");
  for (const Option& option : OptionTable()) {
    if (!option.is_conf_key) continue;
    const auto entry = manual[std::string(Heading(option.group))].extract(std::string(option.name));
    ASSERT_FALSE(entry.empty()) << option.name << " is not documented";
    EXPECT_EQ(entry.mapped().argument, option.argument);
    ExpectDefault(entry.mapped(), option);
  }
  for (const auto group :
       {Group::kGeneral, Group::kIdentity, Group::kKeys, Group::kStorage, Group::kServing,
        Group::kIssuance, Group::kValidation, Group::kPublication, Group::kLimits})
    for (const auto& [name, entry] : manual[std::string(Heading(group))]) {
      ADD_FAILURE() << "the manual invents the key " << name;
    }
}

TEST(Options, EveryOptionOfServeIsAKeyOfAgentcaConf) {
  for (const Option& option : OptionTable())
    if (Has(option.commands, Command::kServe) && option.name != "dir" && option.name != "help") {
      EXPECT_TRUE(option.is_conf_key) << option.name;
    }
}

TEST(Options, NoNameIsUsedTwice) {
  std::set<std::string_view> names;
  for (const Option& option : OptionTable()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
  }
}

TEST(Help, NamesEveryOptionOfTheCommandWithItsDefault) {
  for (const CommandInfo& info : CommandTable()) {
    const std::string help = HelpFor(info.command);
    for (const Option& option : OptionTable()) {
      std::string line = "\n  --" + std::string(option.name);
      if (!option.argument.empty()) line += " " + ManualArgument(option);
      EXPECT_EQ(help.find(line + "\n") != std::string::npos, Has(option.commands, info.command))
          << info.words << " --" << option.name;
    }
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 79u) << line;
  }
}

TEST(ConfText, ReadsBackAsWhatItSays) {
  const fakes::TemporaryDirectory directory;
  std::ofstream(directory / "agentca.conf")
      << ConfText({{"dns-name", {"a.test", "b.test"}}, {"trust-domain", {"example.test"}}});
  const auto settings =
      Settings::Read(Command::kServe, std::vector<std::string>{"--dir", directory.path().string()});
  ASSERT_TRUE(settings.ok()) << settings.error().detail;
  EXPECT_EQ(settings->List("dns-name"), (std::vector<std::string>{"a.test", "b.test"}));
  EXPECT_EQ(settings->Text("trust-domain"), "example.test");
  for (const Option& option : OptionTable())
    if (option.name != "dns-name" && option.name != "trust-domain" && option.name != "dir") {
      EXPECT_FALSE(settings->Given(option.name)) << option.name;
    }
}

TEST(ConfText, ExplainsEveryKeyAndShowsItsDefault) {
  const std::string text = ConfText({});
  for (const Option& option : OptionTable()) {
    const std::string line = "\n#" + std::string(option.name) + " = ";
    EXPECT_EQ(text.find(line) != std::string::npos, option.is_conf_key) << option.name;
    if (option.is_conf_key && !option.default_value.empty()) {
      EXPECT_NE(text.find(line + std::string(option.default_value) + "\n"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace agentca::cli
