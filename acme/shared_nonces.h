// Nonces that any node of a cluster accepts, once among them all.
#pragma once

#include <memory>

#include "acme/nonce.h"
#include "acme/nonce_ledger.h"
#include "acme/nonce_mac.h"

namespace agentca::acme {

// Thread-safe. A nonce is base64url of these octets, 44 characters:
//
//   minted (5, seconds) ‖ random (8) ‖ epoch (4) ‖ HMAC-SHA-256 of all this, truncated (16)
//
// The MAC, with a key that the store keeps for `purpose`, turns forgeries away before anybody asks
// the store; the time bounds what it must remember; the epoch refuses what it may have forgotten.
class SharedNonces final : public NonceBook {
 public:
  static constexpr Seconds kLifetime{3600};
  static constexpr Seconds kMaxAhead{300};  // of the clock of the node that minted it
  static_assert(kLifetime + kHorizonSlack <= NonceLedger::kKeep);

  SharedNonces(std::shared_ptr<NonceLedger> ledger, const Secret& key, Random& random,
               Seconds lifetime = kLifetime)
      : ledger_(std::move(ledger)), mac_(key), random_(random), lifetime_(lifetime) {}
  std::string Issue(Time now) override;
  Status Spend(std::string_view nonce, Time now) override;
  bool spends_elsewhere() const override { return true; }

 private:
  const std::shared_ptr<NonceLedger> ledger_;
  const NonceMac mac_;
  Random& random_;
  const Seconds lifetime_;
};

}  // namespace agentca::acme
