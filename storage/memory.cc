#include "storage/memory.h"

#include "storage/memory_acme.h"
#include "storage/memory_agents.h"
#include "storage/memory_certificates.h"
#include "storage/memory_cluster.h"

namespace agentca::storage {
namespace {

class MemoryBackend final : public Backend {
 public:
  acme::Store& acme() override { return acme_; }
  ca::CertificateStore& certificates() override { return certificates_; }
  ca::AgentRegistry& agents() override { return agents_; }
  ca::Leases& leases() override { return leases_; }
  ca::SharedDocuments& documents() override { return documents_; }
  Maintenance* maintenance() override { return nullptr; }
  std::string Describe() const override { return "memory:, lost at exit"; }

 private:
  MemoryAgents agents_;
  MemoryCertificateStore certificates_;
  MemoryAcmeStore acme_{agents_, certificates_};
  MemoryLeases leases_;
  MemoryDocuments documents_;
};

}  // namespace

std::unique_ptr<Backend> MakeMemoryBackend() { return std::make_unique<MemoryBackend>(); }

}  // namespace agentca::storage
