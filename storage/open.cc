#include "storage/open.h"

#include "storage/memory.h"
#include "storage/postgres.h"
#include "storage/sqlite.h"

namespace agentca::storage {

Result<std::unique_ptr<Backend>> Open(std::string_view uri, OpenMode mode,
                                      const ca::NodeId& node) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (uri == "memory:") return MakeMemoryBackend();
  if (uri.starts_with(kSqlite) && uri.size() > kSqlite.size() &&
      uri.find('\0') == std::string_view::npos) {
    return OpenSqlite(std::filesystem::path(uri.substr(kSqlite.size())), mode, {}, node);
  }
  if (uri.starts_with("postgresql://") || uri.starts_with("postgres://"))
    return OpenPostgres(uri, mode, {}, node);
  return Error{Code::kMalformed,
               "storage \"" + std::string(uri) + "\" is not of the form sqlite:FILE, postgresql://USER@HOST/DATABASE or memory:"};
}

}  // namespace agentca::storage
