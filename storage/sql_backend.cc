#include "storage/sql_backend.h"

#include "ca/base/random.h"
#include "storage/sql_acme.h"
#include "storage/sql_agents.h"
#include "storage/sql_certificates.h"
#include "storage/sql_cluster.h"
#include "storage/sql_nonces.h"
#include "storage/sql_maintenance.h"

namespace agentca::storage {
namespace {

std::string NewProcessName() {
  Bytes octets(12);
  OpenSslRandom().Fill(octets);
  return ToBase64Url(octets);
}

class SqlBackend final : public Backend {
 public:
  SqlBackend(std::unique_ptr<Database> database, std::string description, ca::NodeId node,
             Users users)
      : database_(std::move(database)),
        description_(std::move(description)),
        leases_(*database_, std::move(node), process_) {
    if (users == Users::kNodes) nonces_.emplace(*database_, random_);
  }
  acme::Store& acme() override { return acme_; }
  ca::CertificateStore& certificates() override { return certificates_; }
  ca::AgentRegistry& agents() override { return agents_; }
  ca::Leases& leases() override { return leases_; }
  ca::SharedDocuments& documents() override { return documents_; }
  acme::NonceStore* nonces() override { return nonces_ ? &*nonces_ : nullptr; }
  Maintenance* maintenance() override { return &maintenance_; }
  std::string Describe() const override { return description_; }

 private:
  const std::unique_ptr<Database> database_;
  const std::string description_;
  const std::string process_ = NewProcessName();
  SqlAcmeStore acme_{*database_, process_};
  SqlCertificateStore certificates_{*database_, process_};
  SqlAgents agents_{*database_};
  SqlLeases leases_;
  SqlDocuments documents_{*database_};
  OpenSslRandom random_;
  std::optional<SqlNonces> nonces_;
  SqlMaintenance maintenance_{*database_};
};

}  // namespace

std::unique_ptr<Backend> MakeSqlBackend(std::unique_ptr<Database> database,
                                        std::string description, ca::NodeId node,
                                        Users users) {
  return std::make_unique<SqlBackend>(std::move(database), std::move(description),
                                      std::move(node), users);
}

}  // namespace agentca::storage
