// The CA without the network: keys, store, logs, issuers, responder, CRLs and their threads.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "acme/cli/config.h"
#include "acme/cli/hierarchy.h"
#include "acme/cli/own_certificates.h"
#include "acme/cli/renewals.h"
#include "ca/audit.h"
#include "ca/crl_publisher.h"
#include "ca/heartbeat.h"
#include "ca/issuance.h"
#include "ca/responder.h"
#include "ca/revocation.h"
#include "hsm/signer_client.h"
#include "storage/open.h"

namespace agentca::cli {

class Authority {
 public:
  // Starts the signer, opens the store, joins its nodes (heartbeat), settles interrupted issuance, and
  // renews what is due.
  static Result<std::unique_ptr<Authority>> Open(const Config& config);

  // Publishes CRLs, watches revocations and renews certificates from now on.
  void StartThreads(std::function<void()> on_new_tls);

  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  const hsm::SignerClient& keys() const { return *keys_; }
  storage::Backend& backend() { return *backend_; }
  ca::ChainedLog& audit() { return *audit_; }
  const Hierarchy& hierarchy() const { return hierarchy_; }
  const ca::Issuance& issuance() const { return *issuance_; }
  ca::Revoker& revoker() { return *revoker_; }
  ca::Responder& responder() { return *responder_; }
  const ca::CrlPublisher& root_crl() const { return *root_crl_; }
  const ca::CrlPublisher& issuing_crl() const { return *issuing_crl_; }
  void NudgeWatcher();
  const ca::Heartbeat& heartbeat() const { return *heartbeat_; }
  // What dead nodes were about to sign. Again and again, while this node is alive.
  Status AbandonLeftIntents();
  // Ok, or kUnavailable with the part that fails as detail: "signer", "store" or "crl".
  Status Ready();

 private:
  explicit Authority(Hierarchy hierarchy) : hierarchy_(std::move(hierarchy)) {}
  Status OpenDependencies(const Config& config);
  Status MakeIssuers(const Config& config);
  Status Settle();

  const SystemClock clock_;
  OpenSslRandom random_;
  const Hierarchy hierarchy_;
  std::unique_ptr<hsm::SignerClient> keys_;
  std::unique_ptr<storage::Backend> backend_;
  std::optional<ca::Heartbeat> heartbeat_;  // says good-bye when all else has ended
  std::unique_ptr<ca::ChainedLog> audit_;
  std::unique_ptr<ca::Signer> root_signer_;
  std::unique_ptr<ca::Issuer> issuer_;
  std::optional<ca::Issuance> issuance_;
  std::optional<ca::Revoker> revoker_;
  std::optional<ca::Responder> responder_;
  std::optional<ca::CrlPublisher> root_crl_, issuing_crl_;
  std::optional<OwnCertificates> own_;
  std::optional<SharedDelegate> delegate_;
  std::optional<Renewals> renewals_;
  std::optional<ca::RevocationWatcher> watcher_;
};

}  // namespace agentca::cli
