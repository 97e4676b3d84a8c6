// What the operator said, on the command line and in agentca.conf, before anyone gives it meaning.
// settings.cc is the only includer of Boost.Program_options.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "acme/cli/options.h"
#include "ca/base/result.h"

namespace agentca::cli {

// Precedence: command line, then agentca.conf, then the default of the table. A list is replaced
// as a whole, never merged. Asking for an option that is not in the table is a bug and asserts.
class Settings {
 public:
  // Parses `arguments` (without the command's words), then DIR/agentca.conf or the file of --config
  // if the command reads it. kMalformed names the option, or file, line and key; kNotFound when DIR
  // has no agentca.conf.
  static Result<Settings> Read(Command command, std::span<const std::string> arguments);

  bool help() const { return help_; }  // --help was asked for; nothing else was read or checked
  // Absolute; empty for a client of the admin API that needs none.
  const std::filesystem::path& directory() const { return directory_; }
  const std::string& positional() const { return positionals_.front(); }
  const std::vector<std::string>& positionals() const { return positionals_; }

  bool Flag(std::string_view name) const { return Given(name); }
  bool Given(std::string_view name) const;  // said at all, anywhere
  bool OnCommandLine(std::string_view name) const;
  std::string Text(std::string_view name) const;  // the value, the default, or ""
  std::vector<std::string> List(std::string_view name) const;
  // How to name the option in a message: "--http01-port" or "/ca/agentca.conf:12: http01-port".
  std::string Origin(std::string_view name) const;
  // kMalformed with the origin of `name` in front of `cause`.
  Error Bad(std::string_view name, std::string_view cause) const;

 private:
  struct Value {
    std::vector<std::string> texts;
    int line = 0;  // in the file; 0: on the command line
  };
  Settings() = default;
  Status ParseCommandLine(Command command, std::span<const std::string> arguments);
  Status ReadDirectory(Command command);
  Status ParseFile(const std::filesystem::path& file, Command command);

  bool help_ = false;
  std::filesystem::path directory_, file_;
  std::vector<std::string> positionals_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace agentca::cli
