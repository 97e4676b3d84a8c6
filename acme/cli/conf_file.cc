#include "acme/cli/conf_file.h"

#include <algorithm>

namespace agentca::cli {

Status CheckForConf(const Settings& settings) {
  const auto is_hostile = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '#'; };
  for (const Option& option : OptionTable()) {
    if (!option.is_conf_key) continue;
    for (const std::string& text : settings.List(option.name))
      if (text.empty() || text.front() == ' ' || text.back() == ' ' ||
          std::any_of(text.begin(), text.end(), is_hostile))
        return settings.Bad(option.name,
                            "cannot be written to agentca.conf: it is empty, or holds "
                            "'#', control characters or outer blanks");
  }
  return {};
}

ConfValues ConfValuesOf(const Settings& settings) {
  ConfValues values;
  for (const Option& option : OptionTable())
    if (option.is_conf_key && settings.Given(option.name))
      values[std::string(option.name)] = settings.List(option.name);
  return values;
}

std::string ForConf(const Directory& directory, const std::filesystem::path& path) {
  const auto relative = path.lexically_relative(directory.root());
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return inside ? relative.string() : path.string();
}

}  // namespace agentca::cli
