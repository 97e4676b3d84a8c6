#include "acme/nonce_books.h"

#include "acme/grant_tokens.h"
#include "acme/shared_nonces.h"

namespace agentca::acme {

NonceBooks LocalBooks(Random& random) {
  return {std::make_unique<LocalNonces>(random), std::make_unique<LocalGrantTokens>(random)};
}

Result<NonceBooks> SharedBooks(NonceStore& store, const Clock& clock, Random& random) {
  AGENTCA_ASSIGN(const Secret request_key, store.SharedKey("acme-nonce"));
  AGENTCA_ASSIGN(const Secret grant_key, store.SharedKey("acme-grant-token"));
  AGENTCA_ASSIGN(const auto ledger, NonceLedger::Open(store, clock));
  return NonceBooks{std::make_unique<SharedNonces>(ledger, request_key, random),
                    std::make_unique<SharedNonces>(ledger, grant_key, random, kGrantTokenLifetime)};
}

}  // namespace agentca::acme
