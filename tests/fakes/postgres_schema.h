// A schema of its own on the PostgreSQL server that the tests were given.
#pragma once

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "storage/postgres_connection.h"
#include "storage/postgres_uri.h"

namespace agentca::fakes {

// AGENTCA_TEST_POSTGRES, as tests/faults/postgres.py sets it: the URI of a server whose contents
// nobody misses; "" without one.
inline std::string PostgresServer() {
  const char* uri = std::getenv("AGENTCA_TEST_POSTGRES");
  return uri == nullptr ? "" : uri;
}

// Makes an empty schema, whose name differs from all others, and returns the URI that leads to it.
inline std::string NewPostgresSchema() {
  static std::atomic<int> made{0};
  const std::string name =
      "t" + std::to_string(storage::NewRowId()) + "_" + std::to_string(++made);
  const std::string server = PostgresServer();
  const auto conninfo = storage::ParsePostgresUri(server);
  if (!conninfo.ok()) throw std::runtime_error(conninfo.error().detail);
  storage::PostgresWatch watch;
  const auto connection = storage::PostgresConnection::Open(conninfo->conninfo, {}, watch);
  if (!connection.ok()) throw std::runtime_error(connection.error().detail);
  const auto created = (*connection)->Execute(("CREATE SCHEMA " + name).c_str());
  if (!created.ok()) throw std::runtime_error(created.error().detail);
  const char* join = server.find('?') == std::string::npos ? "?" : "&";
  return server + join + "options=-csearch_path%3D" + name;
}

}  // namespace agentca::fakes
