// ca::Leases and ca::SharedDocuments in SQL, and who may take up whose work.
#pragma once

#include <cstdint>
#include <string>

#include "ca/leases.h"
#include "ca/shared_documents.h"
#include "storage/sql.h"

namespace agentca::storage {

// By the clock of the database, in milliseconds since 1970. A lease that ends after `latest` was
// given before that clock was set back.
struct LeaseTime {
  int64_t now;
  int64_t latest;
};
Result<LeaseTime> ReadLeaseTime(Connection& connection);
// Is this process without a lease? NULL, which is nobody, is.
Result<bool> IsDead(Connection& connection, const std::optional<std::string>& worker,
                    const LeaseTime& time);

class SqlLeases final : public ca::Leases {
 public:
  // `process`: what this process is called in the columns `worker` and `holder`.
  SqlLeases(Database& database, ca::NodeId node, std::string process)
      : database_(database), node_(std::move(node)), process_(std::move(process)) {}
  Status Enter(std::chrono::milliseconds life) override;
  Status Beat(std::chrono::milliseconds life) override;
  Status Leave() override;
  Result<bool> Hold(std::string_view duty, std::chrono::milliseconds life) override;
  Status Release(std::string_view duty) override;

 private:
  Status BeatWithin(Connection& connection, std::chrono::milliseconds life);
  Database& database_;
  const ca::NodeId node_;
  const std::string process_;
};

class SqlDocuments final : public ca::SharedDocuments {
 public:
  explicit SqlDocuments(Database& database) : database_(database) {}
  Status Put(std::string_view name, int64_t replaces, const ca::SharedDocument& next) override;
  Result<ca::SharedDocument> Get(std::string_view name) override;
  Result<int64_t> VersionOf(std::string_view name) override;

 private:
  Database& database_;
};

}  // namespace agentca::storage
