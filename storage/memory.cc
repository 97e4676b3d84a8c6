#include "storage/memory.h"

#include "storage/memory_acme.h"
#include "storage/memory_certificates.h"

namespace agentca::storage {
namespace {

class MemoryBackend final : public Backend {
 public:
  acme::Store& acme() override { return acme_; }
  ca::CertificateStore& certificates() override { return certificates_; }
  std::string Describe() const override { return "memory:, lost at exit"; }

 private:
  MemoryCertificateStore certificates_;
  MemoryAcmeStore acme_{certificates_};
};

}  // namespace

std::unique_ptr<Backend> MakeMemoryBackend() { return std::make_unique<MemoryBackend>(); }

}  // namespace agentca::storage
