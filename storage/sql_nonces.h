// Spent nonces and shared keys in a database that several nodes have in common.
#pragma once

#include "acme/nonce_store.h"
#include "ca/base/random.h"
#include "storage/sql.h"

namespace agentca::storage {

// Spent nonces and their epoch are in unlogged tables
// (storage/migrations/postgres/0005_cluster.sql).
//
// An unlogged table costs no write-ahead log, and its commits wait for no disk. A server that did
// not shut down cleanly (or a replica that takes over) empties such tables: both at once, so that
// whatever was forgotten is of an epoch that is gone. The time at which the server started would
// not tell: after the crash of one backend it recovers, without it and without starting anew. An
// engine that ignores UNLOGGED just keeps the rows.
//
// The verbs are right under SERIALIZABLE and under READ COMMITTED, but not under REPEATABLE READ:
// the epoch must be seen no earlier than the row was inserted.
class SqlNonces final : public acme::NonceStore {
 public:
  SqlNonces(Database& database, Random& random) : database_(database), random_(random) {}
  Result<acme::Spending> SpendNonces(std::span<const acme::SpentNonce> batch) override;
  Result<acme::NonceHorizon> Horizon() override;
  Result<size_t> PruneNonces(Time minted_before, size_t limit) override;
  Result<Secret> SharedKey(std::string_view purpose) override;

 private:
  Result<acme::NonceHorizon> LoadOrBegin(Connection& connection);
  acme::NonceEpoch NewEpoch();

  Database& database_;
  Random& random_;
};

}  // namespace agentca::storage
