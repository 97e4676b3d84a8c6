// Storage URI → backend.
#pragma once

#include <memory>
#include <string_view>

#include "acme/nonce_store.h"
#include "acme/store.h"
#include "ca/agent_registry.h"
#include "ca/base/clock.h"
#include "ca/certificate_store.h"
#include "ca/leases.h"
#include "ca/shared_documents.h"
#include "storage/maintenance.h"

namespace agentca::storage {

// One backend, several views of it. They share transactions, connections and fate. Opened is a
// process of a node: what it begins is its work until it is settled or its lease lapses.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual acme::Store& acme() = 0;
  virtual ca::CertificateStore& certificates() = 0;
  virtual ca::AgentRegistry& agents() = 0;
  // Null: the backend serves one process, which remembers for itself which nonces were spent.
  virtual acme::NonceStore* nonces() { return nullptr; }
  virtual ca::Leases& leases() = 0;
  virtual ca::SharedDocuments& documents() = 0;
  // Null for memory:, which forgets everything anyway.
  virtual Maintenance* maintenance() = 0;
  // In words, for `agentca status`: "sqlite:/var/lib/agentca/db/agentca.sqlite, schema 3".
  virtual std::string Describe() const = 0;
};

enum class OpenMode : uint8_t { kCreate, kExisting };  // kExisting: kNotFound when there is none

// Those who serve want an answer soon. What is done to a store as a whole takes as long as it takes.
enum class Pace : uint8_t { kServing, kPatient };

// Of one process to PostgreSQL, at most.
inline constexpr size_t kConnections = 24;

// "sqlite:/path/to/file", "postgresql://user@host/database" or "memory:". Runs migrations up to this program's schema; refuses a newer
// one (kConflict), a read-only or damaged file (kUnavailable, kInternal), an unknown scheme
// (kMalformed). `node`: "" for what is no node and takes no leases, such as `agentca cert`.
Result<std::unique_ptr<Backend>> Open(std::string_view uri, OpenMode mode,
                                      const ca::NodeId& node = {},
                                      Pace pace = Pace::kServing,
                                      size_t connections = kConnections);

// What a migration would begin with and end at. Changes nothing. kNotFound: there is no store.
struct SchemaState {
  int found = 0;  // 0: nothing of ours is there
  int latest = 0;
  std::vector<std::string> steps;  // from the one to the other: "0006 prune", …
};
Result<SchemaState> LookAtSchema(std::string_view uri);

}  // namespace agentca::storage
