#include "acme/cli/help.h"

#include <algorithm>

namespace agentca::cli {
namespace {

constexpr size_t kWidth = 79;

// Words of `text` in lines of at most kWidth columns, each after `prefix`.
std::string Wrap(std::string_view text, std::string_view prefix) {
  std::string out;
  std::string line(prefix);
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > kWidth) {
      out.append(line).push_back('\n');
      line = prefix;
    }
    if (line.size() > prefix.size()) line.push_back(' ');
    line.append(word);
  }
  return out.append(line).append("\n");
}

std::string HelpText(const Option& option) {
  std::string text(option.help);
  if (!option.default_value.empty())
    text.append(" Default: ").append(option.default_value).append(".");
  return text;
}

}  // namespace

std::string Overview() {
  std::string out =
      "agentca - a private certificate authority for AI agents\n\n"
      "usage: agentca COMMAND [--dir DIR] [OPTION ...]\n\n";
  for (const CommandInfo& info : CommandTable()) {
    std::string words(info.words);
    if (!info.positional.empty()) words.append(" ").append(info.positional);
    words.resize(std::max<size_t>(words.size(), 20), ' ');
    out.append("  ").append(words).append(" ").append(info.summary).append("\n");
  }
  return out +
         "  help [COMMAND]       show this, or the options of a command\n"
         "  --version            show the version\n\n"
         "Exit status: 0 success, 1 failure, 2 wrong usage or configuration, 3 the authority\n"
         "exists already. Manual: agentca(1), agentca.conf(5).\n";
}

std::string HelpFor(Command command) {
  const CommandInfo& info = InfoOf(command);
  std::string out = "usage: agentca " + std::string(info.words);
  if (!info.positional.empty()) out.append(" ").append(info.positional);
  out.append(info.reads == Reads::kOwnFile ? "" : " --dir DIR")
      .append(" [OPTION ...]\n\n")
      .append(Wrap(info.summary, ""));
  const Option* previous = nullptr;
  for (const Option& option : OptionTable()) {
    if (!Has(option.commands, command)) continue;
    if (previous == nullptr || previous->group != option.group)
      out.append("\n").append(Heading(option.group)).append(":\n");
    previous = &option;
    out.append("  --").append(option.name);
    if (!option.argument.empty()) out.append(" ").append(option.argument);
    if (option.arity == Arity::kMany) out.append(" ...");
    out.append("\n").append(Wrap(HelpText(option), "        "));
  }
  return out;
}

std::string ConfText(const ConfValues& values) {
  std::string out = Wrap(
      "Configuration of this certificate authority; see agentca.conf(5). One KEY = VALUE a line; a "
      "key that takes several values may stand several times; '#' starts a comment. Relative "
      "paths start at this directory. Options on the command line of agentca serve come before "
      "what is said here; keys that are commented out have their default.",
      "# ");
  const Option* previous = nullptr;
  for (const Option& option : OptionTable()) {
    if (!option.is_conf_key) continue;
    if (previous == nullptr || previous->group != option.group)
      out.append("\n# ---- ").append(Heading(option.group)).append(" ----\n");
    previous = &option;
    out.append("\n").append(Wrap(HelpText(option), "# "));
    const auto found = values.find(option.name);
    if (found == values.end()) {
      const auto shown = option.default_value.empty() ? option.argument : option.default_value;
      out.append("#").append(option.name).append(" = ").append(shown).append("\n");
      continue;
    }
    for (const std::string& value : found->second)
      out.append(option.name).append(" = ").append(value).append("\n");
  }
  return out;
}

}  // namespace agentca::cli
