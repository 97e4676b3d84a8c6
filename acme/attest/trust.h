// The sources of evidence as keys and roots, ready for use.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "acme/attest/format.h"
#include "ca/agent_registry.h"

namespace agentca::acme::attest {

// Fetches the JWK Set of a source, through the network policy, with a pinned CA, bounded in size
// and time. Thread-safe; may block within its limits. kUnavailable says in words what failed.
using JwksFetch = std::function<Result<std::string>(const ca::EvidenceSource& source)>;

// A JWK Set (RFC 7517 §5, or a SPIFFE bundle) as keys by `kid`. Keys that we do not accept or that
// are for something else ("use", "key_ops", "alg") are left out; none left, or a private or
// symmetric key among them, is kMalformed. At most 64 keys, 256 KiB.
struct KeySet {
  static Result<KeySet> Parse(std::string_view json);
  // Those with this `kid`; for "" those without one, or the only key there is.
  std::vector<ca::PublicKey> Find(std::string_view kid) const;
  std::vector<std::pair<std::string, ca::PublicKey>> keys;
};

// What the registry's sources mean, parsed once a TrustVersion. Thread-safe.
//
// Fetched sets are kept. One is fetched again for an unknown `kid`, at most once a minute and
// source, and for any `kid` once it is an hour old; then what is known stays good for a day if the
// fetch fails. One fetch at a time: while it is under way, or shortly after one failed (5 s,
// doubled with each failure up to a minute), whoever needs it gets kUnavailable at once, so that an
// issuer that hangs holds one thread and not all.
class TrustBook {
 public:
  TrustBook(ca::AgentRegistry& registry, JwksFetch fetch);
  ~TrustBook();
  // Every source, in order of name, as of `now`. kUnavailable when the registry is away.
  Result<std::vector<std::shared_ptr<const Trust>>> Sources(Time now);

 private:
  class State;
  std::shared_ptr<State> state_;
};

// Checks what an administrator sends before it is put: ca::CheckEvidenceSource, and that keys,
// roots and URL can be read. kMalformed names the field.
Status CheckSource(const ca::EvidenceSource& source);

}  // namespace agentca::acme::attest
