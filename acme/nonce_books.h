// The books of single-use words that a service keeps, each with a key of its own.
#pragma once

#include <memory>

#include "acme/nonce.h"
#include "acme/nonce_store.h"

namespace agentca::acme {

struct NonceBooks {
  std::unique_ptr<NonceBook> requests;  // RFC 8555 §6.5
  std::unique_ptr<NonceBook> grants;    // see GrantTokens
};

// What they say is worth something in this process alone.
NonceBooks LocalBooks(Random& random);
// The same at all nodes with this store. Fails when it does not answer. All outlive the books.
Result<NonceBooks> SharedBooks(NonceStore& store, const Clock& clock, Random& random);

}  // namespace agentca::acme
