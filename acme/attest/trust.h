// The sources of evidence as keys and roots, ready for use.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "acme/attest/format.h"
#include "ca/agent_registry.h"

namespace agentca::acme::attest {

// Fetches the JWK Set of a source, through the network policy, with a pinned CA, bounded in size
// and time. Thread-safe; may block within its limits. kUnavailable says in words what failed.
using JwksFetch = std::function<Result<std::string>(const ca::EvidenceSource& source)>;

// A JWK Set (RFC 7517 §5) as keys by `kid`. Keys that we do not accept are left out; none left, or
// a private or symmetric key among them, is kMalformed. At most 64 keys.
struct KeySet {
  static Result<KeySet> Parse(std::string_view json);
  std::vector<ca::PublicKey> Find(std::string_view kid) const;
  std::vector<std::pair<std::string, ca::PublicKey>> keys;
};

// What the registry's sources mean, parsed once a TrustVersion. Fetched sets are kept; an unknown
// `kid` refetches at most once a minute and source, one fetch at a time; while one is under way, or
// shortly after one failed, others get kUnavailable at once. Thread-safe.
class TrustBook {
 public:
  TrustBook(ca::AgentRegistry& registry, JwksFetch fetch);
  ~TrustBook();
  // Every source, in order of name. kUnavailable when the registry is away.
  Result<std::vector<std::shared_ptr<const Trust>>> Sources(Time now);

 private:
  class State;
  std::shared_ptr<State> state_;
};

// Checks what an administrator sends before it is put: keys and roots parse, jwks_url is https and
// has a pinned CA, the format exists. kMalformed names the field.
Status CheckSource(const ca::EvidenceSource& source);

}  // namespace agentca::acme::attest
