#include "acme/cli/settings.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cassert>
#include <fstream>
#include <sstream>

#include "acme/cli/directory.h"

namespace agentca::cli {
namespace {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

constexpr char kPositional[] = "<argument>";

void Describe(const Option& option, po::options_description& out) {
  const std::string name(option.name);
  if (option.arity == Arity::kFlag) {
    out.add_options()(name.c_str(), "");
  } else if (option.arity == Arity::kMany) {
    out.add_options()(name.c_str(), po::value<Texts>()->multitoken(), "");
  } else {
    out.add_options()(name.c_str(), po::value<Texts>(), "");
  }
}

po::options_description DescribeCommand(Command command) {
  po::options_description out;
  for (const Option& option : OptionTable())
    if (Has(option.commands, command)) Describe(option, out);
  out.add_options()(kPositional, po::value<Texts>(), "");
  return out;
}

// The keys of agentca.conf, or those of a command's own file.
po::options_description DescribeFile(Command command) {
  const bool own = InfoOf(command).reads == Reads::kOwnFile;
  po::options_description out;
  for (const Option& option : OptionTable()) {
    const bool is_key = own ? Has(option.commands, command) && option.arity != Arity::kFlag
                            : option.is_conf_key;
    if (is_key) Describe(option, out);
  }
  return out;
}

std::string Trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

// "KEY = VALUE" by Boost's grammar, in which "#" starts a comment anywhere.
Result<std::pair<std::string, std::string>> ParseLine(const std::string& line,
                                                      const po::options_description& keys) {
  try {
    std::istringstream stream(line);
    const auto parsed = po::parse_config_file(stream, keys);
    if (parsed.options.size() != 1 || parsed.options[0].value.size() != 1)
      return Error{Code::kMalformed, "expected KEY = VALUE"};
    return std::pair(parsed.options[0].string_key, Trimmed(parsed.options[0].value[0]));
  } catch (const po::unknown_option& e) {
    return Error{Code::kMalformed, "unknown key '" + e.get_option_name() + "'"};
  } catch (const po::error&) {
    return Error{Code::kMalformed, "expected KEY = VALUE"};
  }
}

}  // namespace

Result<Settings> Settings::Read(Command command, std::span<const std::string> arguments) {
  Settings settings;
  AGENTCA_TRY(settings.ParseCommandLine(command, arguments));
  if (settings.help_) return settings;
  if (InfoOf(command).reads == Reads::kOwnFile) {
    if (settings.Given("config")) {
      AGENTCA_TRY(settings.ParseFile(settings.Text("config"), command));
    }
    return settings;
  }
  AGENTCA_TRY(settings.ReadDirectory(command));
  return settings;
}

Status Settings::ReadDirectory(Command command) {
  if (Text("dir").empty()) {
    if (InfoOf(command).reads == Reads::kAdminApi && Given("admin-url")) return {};
    return Error{Code::kMalformed, "--dir DIR is required"};
  }
  std::error_code error;
  directory_ = std::filesystem::absolute(Text("dir"), error).lexically_normal();
  if (error) return Bad("dir", error.message());
  if (!directory_.has_filename()) directory_ = directory_.parent_path();
  if (InfoOf(command).reads == Reads::kConf) return ParseFile(Directory(directory_).Conf(), command);
  return {};
}

Status Settings::ParseCommandLine(Command command, std::span<const std::string> arguments) {
  // An abbreviation that works today would change its meaning with the next option.
  constexpr int kStyle =
      po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  const auto description = DescribeCommand(command);
  po::positional_options_description positional;
  positional.add(kPositional, -1);
  po::variables_map map;
  try {
    po::store(po::command_line_parser(Texts(arguments.begin(), arguments.end()))
                  .options(description)
                  .positional(positional)
                  .style(kStyle)
                  .run(),
              map);
  } catch (const po::error& e) {
    return Error{Code::kMalformed, e.what()};
  }
  if ((help_ = map.count("help") != 0)) return {};
  for (const auto& [name, value] : map) {
    const Option* option = FindOption(name);  // null for the positional argument
    const bool is_flag = option != nullptr && option->arity == Arity::kFlag;
    const Texts texts = is_flag ? Texts{} : value.as<Texts>();
    if (option != nullptr) {
      values_[name] = Value{texts, 0};
      if (option->arity == Arity::kOne && texts.size() != 1)
        return Bad(name, "may be given only once");
      continue;
    }
    positionals_ = texts;
  }
  const std::string_view expected = InfoOf(command).positional;
  if (expected.starts_with('[')) return {};  // any number of them
  if (positionals_.size() > (expected.empty() ? 0 : 1))
    return Error{Code::kMalformed, "unexpected argument '" + positionals_.back() + "'"};
  if (positionals_.empty() && !expected.empty())
    return Error{Code::kMalformed, std::string(expected) + " is required"};
  return {};
}

Status Settings::ParseFile(const std::filesystem::path& file, Command command) {
  std::ifstream stream(file);
  if (!stream) {
    const bool ours = InfoOf(command).reads == Reads::kConf;
    return Error{Code::kNotFound,
                 "cannot read " + file.string() + (ours ? "; `agentca init` makes it" : "")};
  }
  file_ = file;
  const auto keys = DescribeFile(command);
  std::map<std::string, Value> read;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    line = Trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    const auto at = [&] { return file.string() + ":" + std::to_string(number) + ": "; };
    if (line.front() == '[') return Error{Code::kMalformed, at() + "sections are not known here"};
    auto parsed = ParseLine(line, keys);
    if (!parsed.ok()) return Error{Code::kMalformed, at() + parsed.error().detail};
    auto& [key, text] = *parsed;
    Value& value = read[key];
    if (!value.texts.empty() && FindOption(key)->arity == Arity::kOne)
      return Error{Code::kMalformed,
                   at() + key + " was already set on line " + std::to_string(value.line)};
    value.texts.push_back(std::move(text));
    value.line = number;
  }
  if (stream.bad()) return Error{Code::kUnavailable, "cannot read " + file.string()};
  for (auto& [key, value] : read) values_.emplace(key, std::move(value));  // command line wins
  return {};
}

bool Settings::Given(std::string_view name) const {
  assert(FindOption(name) != nullptr);
  return values_.find(name) != values_.end();
}

bool Settings::OnCommandLine(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second.line == 0;
}

std::string Settings::Text(std::string_view name) const {
  if (!Given(name)) return std::string(FindOption(name)->default_value);
  const Texts& texts = values_.find(name)->second.texts;
  return texts.empty() ? "" : texts.front();
}

std::vector<std::string> Settings::List(std::string_view name) const {
  return Given(name) ? values_.find(name)->second.texts : Texts{};
}

std::string Settings::Origin(std::string_view name) const {
  if (!Given(name) || OnCommandLine(name)) return "--" + std::string(name);
  return file_.string() + ":" + std::to_string(values_.find(name)->second.line) + ": " +
         std::string(name);
}

Error Settings::Bad(std::string_view name, std::string_view cause) const {
  return Error{Code::kMalformed, Origin(name) + ": " + std::string(cause)};
}

}  // namespace agentca::cli
