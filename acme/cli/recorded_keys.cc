#include "acme/cli/recorded_keys.h"

namespace agentca::cli {
namespace {

class RecordedSigner final : public ca::Signer {
 public:
  RecordedSigner(std::unique_ptr<ca::Signer> signer, std::string name, ca::ChainedLog& log,
                 const Clock& clock)
      : signer_(std::move(signer)), name_(std::move(name)), log_(log), clock_(clock) {}
  const ca::PublicKey& public_key() const override { return signer_->public_key(); }
  ca::SignatureAlgorithm algorithm() const override { return signer_->algorithm(); }
  Result<Bytes> Sign(ByteView message) override {
    AGENTCA_TRY(log_.Append("key-used-by-init",
                            {{"key", name_}, {"sha256", ToHex(Sha256(message))}}, clock_.Now()));
    return signer_->Sign(message);
  }

 private:
  const std::unique_ptr<ca::Signer> signer_;
  const std::string name_;
  ca::ChainedLog& log_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<ca::Signer>> RecordedKeys::Open(std::string_view key_name) {
  AGENTCA_ASSIGN(auto signer, keys_.Open(key_name));
  return std::unique_ptr<ca::Signer>(
      std::make_unique<RecordedSigner>(std::move(signer), std::string(key_name), log_, clock_));
}

}  // namespace agentca::cli
