// Maintenance in SQL, and the tables as export and import see them.
#pragma once

#include <string>
#include <vector>

#include "storage/maintenance.h"
#include "storage/sql.h"

namespace agentca::storage {

class SqlMaintenance final : public Maintenance {
 public:
  explicit SqlMaintenance(Database& database) : database_(database) {}
  // Each verb in a file of its own: sql_prune.cc, sql_check.cc, sql_export.cc, sql_import.cc,
  // sql_recall.cc.
  Result<PruneStep> Prune(Prunable what, Time before, const PruneCursor& from,
                          bool dry_run) override;
  Status Check(const std::function<void(const Finding&)>& found) override;
  Result<StoreDigest> Export(const LineSink& out) override;
  Result<StoreDigest> Import(LineSource& in) override;
  Result<std::vector<ca::Serial>> UnknownOf(const std::vector<ca::Serial>& serials) override;
  Result<Mending> Recall(const Recollection& recollection, Time now, bool dry_run) override;
  Result<uint64_t> CrlNumberOf(const ca::IssuerId& issuer) override;
  Status RaiseCrlNumber(const ca::IssuerId& issuer, uint64_t at_least) override;

 private:
  Database& database_;
};

}  // namespace agentca::storage
