// `init` uses the keys in its own process, before there is a signer. These uses stand in the
// key-usage log like the signer's, so that the log covers the whole life of each key.
#pragma once

#include "ca/audit.h"
#include "ca/base/clock.h"
#include "ca/signer.h"

namespace agentca::cli {

// Opens the signers of `keys` so that each use is on disk in `log` before the key is used.
// References must outlive it and every signer that it opened.
class RecordedKeys final : public ca::KeyProvider {
 public:
  RecordedKeys(ca::KeyProvider& keys, ca::ChainedLog& log, const Clock& clock)
      : keys_(keys), log_(log), clock_(clock) {}
  Result<std::unique_ptr<ca::Signer>> Open(std::string_view key_name) override;
  bool Healthy() const override { return keys_.Healthy(); }

 private:
  ca::KeyProvider& keys_;
  ca::ChainedLog& log_;
  const Clock& clock_;
};

}  // namespace agentca::cli
