#include "hsm/signer_client.h"

#include "hsm/signature.h"
#include "hsm/signer_link.h"

namespace agentca::hsm {
namespace {

class RemoteSigner final : public ca::Signer {
 public:
  RemoteSigner(std::shared_ptr<SignerLink> link, std::string name, ca::PublicKey key)
      : link_(std::move(link)),
        name_(std::move(name)),
        key_(std::move(key)),
        algorithm_(AlgorithmOf(key_.type())) {}

  const ca::PublicKey& public_key() const override { return key_; }
  ca::SignatureAlgorithm algorithm() const override { return algorithm_; }
  Result<Bytes> Sign(ByteView message) override { return link_->Sign(name_, message); }

 private:
  const std::shared_ptr<SignerLink> link_;
  const std::string name_;
  const ca::PublicKey key_;
  const ca::SignatureAlgorithm algorithm_;
};

}  // namespace

Result<std::unique_ptr<SignerClient>> SignerClient::Start(SignerClientOptions options) {
  auto link = std::make_shared<SignerLink>(std::move(options));
  AGENTCA_TRY(link->WaitForStart());
  return std::unique_ptr<SignerClient>(new SignerClient(std::move(link)));
}

SignerClient::SignerClient(std::shared_ptr<SignerLink> link) : link_(std::move(link)) {}

SignerClient::~SignerClient() { link_->Stop(); }

Result<std::unique_ptr<ca::Signer>> SignerClient::Open(std::string_view key_name) {
  AGENTCA_ASSIGN(ca::PublicKey key, link_->KeyNamed(key_name));
  return std::unique_ptr<ca::Signer>(
      std::make_unique<RemoteSigner>(link_, std::string(key_name), std::move(key)));
}

bool SignerClient::Healthy() const { return link_->Healthy(); }
int SignerClient::pid() const { return link_->pid(); }
uint64_t SignerClient::restarts() const { return link_->restarts(); }

}  // namespace agentca::hsm
