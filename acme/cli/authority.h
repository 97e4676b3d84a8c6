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
#include "ca/crl_follower.h"
#include "ca/crl_publisher.h"
#include "ca/heartbeat.h"
#include "ca/issuance.h"
#include "ca/responder.h"
#include "ca/revocation.h"
#include "hsm/signer_client.h"
#include "storage/open.h"

namespace agentca::cli {

// How this node starts its signer, which holds the keys of its roles, or reaches that of a service.
hsm::SignerClientOptions SignerOf(const Config& config);

// What the roles do without is not there: see the accessors.
class Authority {
 public:
  // Starts the signer, opens the store, joins its nodes (heartbeat), settles interrupted issuance,
  // and renews what is due.
  static Result<std::unique_ptr<Authority>> Open(const Config& config);

  // Publishes CRLs, watches revocations and renews certificates from now on.
  void StartThreads(std::function<void()> on_new_tls);

  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  const hsm::SignerClient& keys() const { return *keys_; }
  storage::Backend& backend() { return *backend_; }
  ca::ChainedLog& audit() { return *audit_; }
  const Hierarchy& hierarchy() const { return hierarchy_; }
  const ca::Issuance& issuance() const { return *issuance_; }  // of a role that issues
  ca::Revoker& revoker() { return *revoker_; }
  ca::Responder& responder() { return *responder_; }
  const ca::CrlSource& root_crl() const { return *root_crl_; }
  const ca::CrlSource& issuing_crl() const { return *issuing_crl_; }
  void NudgeWatcher();
  const ca::Heartbeat& heartbeat() const { return *heartbeat_; }  // of a role that issues
  // What dead nodes were about to sign. Again and again, while this node is alive.
  Status AbandonLeftIntents();
  // Ok, or kUnavailable with the part that fails as detail: "signer", "store" or, with role ocsp,
  // "crl" or "ocsp".
  Status Ready();

 private:
  Authority(Directory directory, Hierarchy hierarchy, Roles roles)
      : directory_(std::move(directory)), hierarchy_(std::move(hierarchy)), roles_(roles) {}
  Status OpenDependencies(const Config& config);
  Status MakeIssuers(const Config& config);
  Status Issue(const Config& config);
  void Follow();
  Status Settle();

  const SystemClock clock_;
  OpenSslRandom random_;
  const Directory directory_;
  const Hierarchy hierarchy_;
  const Roles roles_;
  std::unique_ptr<hsm::SignerClient> keys_;
  std::unique_ptr<storage::Backend> backend_;
  // Of a role that issues: others begin nothing. Says good-bye when all else has ended.
  std::optional<ca::Heartbeat> heartbeat_;
  std::unique_ptr<ca::ChainedLog> audit_;
  std::unique_ptr<ca::Signer> root_signer_;
  std::unique_ptr<ca::Issuer> issuer_;
  std::optional<ca::Issuance> issuance_;
  std::optional<ca::Revoker> revoker_;
  std::optional<ca::Responder> responder_;
  // Of the root and the issuing CA: publishers with their keys, followers without.
  std::vector<std::unique_ptr<ca::CrlPublisher>> publishers_;
  std::vector<std::unique_ptr<ca::CrlFollower>> followers_;
  const ca::CrlSource* root_crl_ = nullptr;
  const ca::CrlSource* issuing_crl_ = nullptr;
  std::optional<OwnCertificates> own_;
  std::optional<SharedDelegate> delegate_;
  std::optional<Renewals> renewals_;
  std::optional<ca::RevocationWatcher> watcher_;
};

}  // namespace agentca::cli
