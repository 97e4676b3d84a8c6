// Storage URI → backend.
#pragma once

#include <memory>
#include <string_view>

#include "acme/store.h"
#include "ca/agent_registry.h"
#include "ca/base/clock.h"
#include "ca/certificate_store.h"
#include "ca/leases.h"
#include "ca/shared_documents.h"

namespace agentca::storage {

// One backend, several views of it. They share transactions, connections and fate. Opened is a
// process of a node: what it begins is its work until it is settled or its lease lapses.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual acme::Store& acme() = 0;
  virtual ca::CertificateStore& certificates() = 0;
  virtual ca::AgentRegistry& agents() = 0;
  virtual ca::Leases& leases() = 0;
  virtual ca::SharedDocuments& documents() = 0;
  // In words, for `agentca status`: "sqlite:/var/lib/agentca/db/agentca.sqlite, schema 3".
  virtual std::string Describe() const = 0;
};

enum class OpenMode : uint8_t { kCreate, kExisting };  // kExisting: kNotFound when there is none

// "sqlite:/path/to/file", "postgresql://user@host/database" or "memory:". Runs migrations up to this program's schema; refuses a newer
// one (kConflict), a read-only or damaged file (kUnavailable, kInternal), an unknown scheme
// (kMalformed). `node`: "" for what is no node and takes no leases, such as `agentca cert`.
Result<std::unique_ptr<Backend>> Open(std::string_view uri, OpenMode mode,
                                      const ca::NodeId& node = {});

}  // namespace agentca::storage
