#include "ca/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace agentca {
namespace {

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: break;
  }
  return spdlog::level::err;
}

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("agentca",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

void AppendEscaped(std::string& out, std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\x").push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 0xf]);
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

void Log(Level level, std::string_view message, std::initializer_list<Field> fields) {
  spdlog::logger& logger = Logger();
  const auto spdlog_level = ToSpdlog(level);
  if (!logger.should_log(spdlog_level)) return;
  std::string line;
  AppendEscaped(line, message);
  for (const Field& field : fields) {
    line.append(" ").append(field.key).append("=\"");
    AppendEscaped(line, field.value);
    line.push_back('"');
  }
  logger.log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

void SetLogLevel(Level level) { Logger().set_level(ToSpdlog(level)); }

}  // namespace agentca
