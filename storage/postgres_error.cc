#include "storage/postgres_error.h"

#include <array>

namespace agentca::storage {
namespace {

struct Row {
  std::string_view prefix;
  PostgresFailure failure;
};

Error Unavailable(const char* detail) { return {Code::kUnavailable, detail}; }

// PostgreSQL's manual, appendix A. The first prefix that fits.
const std::array<Row, 22>& Table() {
  static const std::array<Row, 22> table{{
      {"40001", {.error = Unavailable("the database is busy"), .collision = true}},
      {"40P01", {.error = Unavailable("the database is busy"), .collision = true}},
      {"23505", {.error = {Code::kConflict, "an object with this key exists"}, .duplicate = true}},
      {"23P01", {.error = {Code::kConflict, "an object with this key exists"}, .duplicate = true}},
      {"23503", {.error = {Code::kConflict, "an object that is needed or in use"}, .duplicate = true}},
      {"23", {.error = {Code::kConflict, "an object with this key exists"}}},
      // "cached plan must not change result type": a newer node has migrated. A new connection
      // prepares anew.
      {"0A000", {.error = Unavailable("the database was changed"), .useless = true}},
      {"25006", {.error = Unavailable("the database cannot be written"), .useless = true}},
      {"53100", {.error = Unavailable("the database cannot grow")}},
      {"53", {.error = Unavailable("the database has no room")}},
      {"55P03", {.error = Unavailable("the database is busy")}},
      {"57014", {.error = Unavailable("the database took too long")}},
      {"57", {.error = Unavailable("the database is shutting down"), .useless = true}},
      {"08", {.error = Unavailable("the database cannot be reached"), .useless = true}},
      {"28", {.error = Unavailable("the database refuses this user"), .useless = true}},
      {"3D", {.error = Unavailable("there is no such database"), .useless = true}},
      {"42501", {.error = Unavailable("the database refuses this user")}},
      {"22021", {.error = {Code::kMalformed, "a text that the database cannot hold"}}},
      {"22P05", {.error = {Code::kMalformed, "a text that the database cannot hold"}}},
      {"58", {.error = Unavailable("the database cannot be used")}},
      {"XX001", {.error = {Code::kInternal, "the database is damaged"}}},
      {"XX002", {.error = {Code::kInternal, "the database is damaged"}}},
  }};
  return table;
}

}  // namespace

PostgresFailure JudgeSqlState(std::string_view state) {
  if (state.empty()) return {.error = Unavailable("the database cannot be reached"), .useless = true};
  for (const Row& row : Table())
    if (state.starts_with(row.prefix)) return row.failure;
  return {.error = {Code::kInternal, "database: SQLSTATE " + std::string(state)}};
}

Error JudgeConnectFailure(std::string_view words) {
  constexpr std::array<std::array<const char*, 2>, 7> kKnown{{
      {"session is read-only", "the database cannot be written"},
      {"server is in hot standby mode", "the database cannot be written"},
      {"authentication failed", "the database refuses this user"},
      {"no password supplied", "the database refuses this user"},
      {"no pg_hba.conf entry", "the database refuses this user"},
      {"role \"", "the database refuses this user"},
      {"database \"", "there is no such database"},
  }};
  for (const auto& [part, meaning] : kKnown)
    if (words.find(part) != std::string_view::npos) return Unavailable(meaning);
  return Unavailable("the database cannot be reached");
}

}  // namespace agentca::storage
