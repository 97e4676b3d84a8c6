#include "storage/open.h"

#include "storage/memory.h"
#include "storage/migrations.h"
#include "storage/postgres.h"
#include "storage/sqlite.h"

namespace agentca::storage {
namespace {

enum class Kind : uint8_t { kMemory, kSqlite, kPostgres };

constexpr std::string_view kSqliteScheme = "sqlite:";

Result<Kind> KindOf(std::string_view uri) {
  if (uri == "memory:") return Kind::kMemory;
  if (uri.starts_with(kSqliteScheme) && uri.size() > kSqliteScheme.size() &&
      uri.find('\0') == std::string_view::npos)
    return Kind::kSqlite;
  if (uri.starts_with("postgresql://") || uri.starts_with("postgres://")) return Kind::kPostgres;
  return Error{Code::kMalformed, "storage \"" + std::string(uri) +
                                     "\" is not of the form sqlite:FILE, "
                                     "postgresql://USER@HOST/DATABASE or memory:"};
}

std::filesystem::path FileOf(std::string_view uri) { return {uri.substr(kSqliteScheme.size())}; }

PostgresOptions OptionsFor(Pace pace, size_t connections) {
  PostgresOptions options;
  options.max_connections = connections;
  if (pace == Pace::kServing) return options;
  using namespace std::chrono_literals;
  options.statement_timeout = 0ms;  // none
  options.deadline = 7 * 24h;
  return options;
}

std::vector<std::string> StepsAfter(int version, std::span<const Migration> migrations) {
  std::vector<std::string> steps;
  for (const Migration& each : migrations) {
    if (each.version <= version) continue;
    std::string number = std::to_string(each.version);
    number.insert(0, 4 - std::min<size_t>(4, number.size()), '0');
    steps.push_back(number + " " + std::string(each.name));
  }
  return steps;
}

}  // namespace

Result<std::unique_ptr<Backend>> Open(std::string_view uri, OpenMode mode, const ca::NodeId& node,
                                      Pace pace, size_t connections) {
  AGENTCA_ASSIGN(const Kind kind, KindOf(uri));
  if (kind == Kind::kMemory) return MakeMemoryBackend();
  if (kind == Kind::kSqlite) return OpenSqlite(FileOf(uri), mode, {}, node);
  return OpenPostgres(uri, mode, OptionsFor(pace, connections), node);
}

Result<SchemaState> LookAtSchema(std::string_view uri) {
  AGENTCA_ASSIGN(const Kind kind, KindOf(uri));
  if (kind == Kind::kMemory)
    return Error{Code::kNotFound, "memory: is made anew by each program that uses it"};
  const auto migrations = kind == Kind::kSqlite ? SqliteMigrations() : PostgresMigrations();
  SchemaState state{.found = 0, .latest = migrations.back().version, .steps = {}};
  AGENTCA_ASSIGN(state.found,
                 kind == Kind::kSqlite ? SqliteSchemaOf(FileOf(uri)) : PostgresSchemaOf(uri));
  state.steps = StepsAfter(state.found, migrations);
  return state;
}

}  // namespace agentca::storage
