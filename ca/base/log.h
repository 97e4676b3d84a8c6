// Operational log: one line an event, "message key=value …", to standard error. Values are quoted
// and control characters escaped, so that what a client sends cannot forge a line. Never pass a
// secret. Not the audit log (ca/audit.h).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace agentca {

enum class Level { kDebug, kInfo, kWarning, kError };

struct Field {
  std::string_view key;
  std::string_view value;
};

// Thread-safe. Never throws.
void Log(Level level, std::string_view message, std::initializer_list<Field> fields = {});
void SetLogLevel(Level level);

}  // namespace agentca
