#include "storage/sql_backend.h"

#include "storage/sql_acme.h"
#include "storage/sql_agents.h"
#include "storage/sql_certificates.h"

namespace agentca::storage {
namespace {

class SqlBackend final : public Backend {
 public:
  SqlBackend(std::unique_ptr<Database> database, std::string description)
      : database_(std::move(database)), description_(std::move(description)) {}
  acme::Store& acme() override { return acme_; }
  ca::CertificateStore& certificates() override { return certificates_; }
  ca::AgentRegistry& agents() override { return agents_; }
  std::string Describe() const override { return description_; }

 private:
  const std::unique_ptr<Database> database_;
  const std::string description_;
  SqlAcmeStore acme_{*database_};
  SqlCertificateStore certificates_{*database_};
  SqlAgents agents_{*database_};
};

}  // namespace

std::unique_ptr<Backend> MakeSqlBackend(std::unique_ptr<Database> database,
                                        std::string description) {
  return std::make_unique<SqlBackend>(std::move(database), std::move(description));
}

}  // namespace agentca::storage
