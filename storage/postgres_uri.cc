#include "storage/postgres_uri.h"

#include <libpq-fe.h>

#include <array>
#include <map>
#include <memory>
#include <vector>

namespace agentca::storage {
namespace {

struct OptionsFree {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// A server that is gone must not hold its clients; of several hosts the one that can be written to
// is the one that is meant.
constexpr std::array<std::pair<const char*, const char*>, 7> kDefaults{{
    {"application_name", "agentca"},
    {"connect_timeout", "5"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
    {"target_session_attrs", "read-write"},
}};

std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') parts.emplace_back();
    if (c != ',') parts.back() += c;
  }
  return parts;
}

// One port is of all hosts.
std::string HostsAndPorts(const std::string& hosts, const std::string& ports) {
  const std::vector<std::string> of = Split(ports);
  std::string text;
  size_t i = 0;
  for (const std::string& host : Split(hosts)) {
    const std::string& port = of.size() == 1 ? of[0] : i < of.size() ? of[i] : "";
    text += (i++ == 0 ? "" : ",") + host + (port.empty() ? "" : ":" + port);
  }
  return text;
}

std::string Describe(const std::map<std::string, std::string>& values) {
  const auto value = [&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
  std::string text = "postgresql://";
  if (!value("user").empty()) text += value("user") + "@";
  const std::string hosts = value("host").empty() ? value("hostaddr") : value("host");
  return text + HostsAndPorts(hosts, value("port")) + "/" + value("dbname");
}

}  // namespace

Result<PostgresUri> ParsePostgresUri(std::string_view uri) {
  const std::string text(uri);
  // libpq's words about what it cannot read hold parts of it, which may be a password.
  const std::unique_ptr<PQconninfoOption, OptionsFree> options(
      text.find('\0') == std::string::npos ? PQconninfoParse(text.c_str(), nullptr) : nullptr);
  if (!options) {
    return Error{Code::kMalformed,
                 "storage: not of the form postgresql://USER@HOST[:PORT]/DATABASE[?OPTION=…] with "
                 "options of libpq"};
  }
  std::map<std::string, std::string> values;
  for (const auto* each = options.get(); each->keyword != nullptr; ++each)
    if (each->val != nullptr) values[each->keyword] = each->val;
  if (values.contains("password") || values.contains("sslpassword")) {
    return Error{Code::kMalformed,
                 "storage: a password does not belong into the URI; put it into a file of mode 0600 "
                 "and name that with passfile=FILE, or into ~/.pgpass"};
  }
  if (!values.contains("dbname"))
    return Error{Code::kMalformed, "storage: the URI names no database"};

  PostgresUri parsed{.conninfo = {}, .description = Describe(values)};
  for (const auto& [name, value] : kDefaults) values.emplace(name, value);
  for (const auto& [name, value] : values) parsed.conninfo += name + "=" + Quoted(value) + " ";
  return parsed;
}

}  // namespace agentca::storage
