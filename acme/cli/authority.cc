#include "acme/cli/authority.h"

#include "acme/cli/freshness.h"
#include "acme/cli/node_id.h"
#include "acme/cli/restored.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

// A node drops the OCSP answers about a certificate that any node revoked at the latest so long
// after the revocation was committed, and as long as two reads of the store take: the bound is a
// second.
constexpr std::chrono::milliseconds kWatchPeriod{500};

}  // namespace

hsm::SignerClientOptions SignerOf(const Config& config) {
  hsm::SignerClientOptions options;
  options.deadline = config.signer.deadline;
  if (!config.signer.socket.empty()) {
    options.unix_socket = config.signer.socket;
    return options;
  }
  // This very file, also after an upgrade replaced it on disk.
  options.command = {"/proc/self/exe", "signer", "--dir",
                     config.directory.root().string(),
                     "--role", config.serving.roles.ToString()};
  return options;
}

Result<std::unique_ptr<Authority>> Authority::Open(const Config& config) {
  AGENTCA_ASSIGN(Hierarchy hierarchy,
                 Hierarchy::Load(config.directory, config.identity.http_external_url));
  std::unique_ptr<Authority> authority(
      new Authority(config.directory, std::move(hierarchy), config.serving.roles));
  AGENTCA_TRY(authority->OpenDependencies(config));
  AGENTCA_TRY(authority->MakeIssuers(config));
  AGENTCA_TRY(RefuseOldStore(config, authority->hierarchy_, *authority->backend_,
                             authority->clock_.Now()));
  AGENTCA_TRY(authority->Settle());
  return authority;
}

Status Authority::OpenDependencies(const Config& config) {
  AGENTCA_ASSIGN(keys_, hsm::SignerClient::Start(SignerOf(config)));
  AGENTCA_ASSIGN(const ca::NodeId node, ReadNodeId(config.directory, random_));
  AGENTCA_ASSIGN(backend_, storage::Open(config.storage,
                                         config.storage == "memory:" ? storage::OpenMode::kCreate
                                                                     : storage::OpenMode::kExisting,
                                         node, storage::Pace::kServing,
                                         config.storage_connections));
  AGENTCA_ASSIGN(audit_, ca::ChainedLog::Open(config.directory.AuditLog()));
  Log(Level::kInfo, "opened store", {{"store", backend_->Describe()}, {"node", node}});
  return {};
}

Status Authority::MakeIssuers(const Config& config) {
  ca::CertificateStore& store = backend_->certificates();
  revoker_.emplace(store, *audit_);
  responder_.emplace(store, clock_, config.ocsp);
  if (roles_.Issue()) {
    AGENTCA_TRY(Issue(config));
  } else {
    Follow();
  }
  std::unique_ptr<ca::Signer> ocsp_signer;
  if (roles_.Has(Role::kOcsp)) {
    AGENTCA_ASSIGN(ocsp_signer, keys_->Open(kOcspKey));
  }
  const OwnCertificates* own = own_ ? &*own_ : nullptr;
  delegate_.emplace(SharedDelegate::Parts{own, directory_, store, backend_->leases(),
                                          backend_->documents(), hierarchy_.issuing, *responder_,
                                          std::move(ocsp_signer)});
  renewals_.emplace(Renewals::Parts{own, store, hierarchy_.issuing.info.id, *delegate_}, clock_,
                    std::vector<const ca::CrlSource*>{root_crl_, issuing_crl_});
  return {};
}

// With the keys of both CAs.
Status Authority::Issue(const Config& config) {
  ca::CertificateStore& store = backend_->certificates();
  const CaIdentity& root = hierarchy_.root;
  const CaIdentity& issuing = hierarchy_.issuing;
  AGENTCA_ASSIGN(root_signer_, keys_->Open(kRootKey));
  if (!(root_signer_->public_key() == root.certificate.key))
    return Error{Code::kInternal, "the root key is not the one of the root certificate"};
  AGENTCA_ASSIGN(auto issuing_signer, keys_->Open(kIssuingKey));
  AGENTCA_ASSIGN(issuer_,
                 ca::Issuer::Make(issuing.certificate, issuing.info, std::move(issuing_signer)));
  issuance_.emplace(*issuer_, store, *audit_, random_, config.serial_prefix);
  AGENTCA_ASSIGN(auto own, OwnCertificates::Make(config, *issuance_));
  own_.emplace(std::move(own));
  const auto publish = [&](const CaIdentity& ca, ca::Signer& signer) {
    publishers_.push_back(std::make_unique<ca::CrlPublisher>(
        ca.info, signer,
        ca::CrlPublisher::Shared{store, backend_->leases(), backend_->documents()}, clock_,
        config.crl, config.directory.Crl(ca.info.id)));
    return publishers_.back().get();
  };
  root_crl_ = publish(root, *root_signer_);
  issuing_crl_ = publish(issuing, issuer_->signer());
  return {};
}

// Without: what others sign is served.
void Authority::Follow() {
  const auto follow = [&](const CaIdentity& ca) {
    followers_.push_back(std::make_unique<ca::CrlFollower>(
        ca.info.id, ca.certificate.key, backend_->documents(), kWatchPeriod));
    if (const Status look = followers_.back()->LookNow(); !look.ok())
      Log(Level::kError, "no CRL to serve yet", {{"cause", look.error().detail}});
    return followers_.back().get();
  };
  root_crl_ = follow(hierarchy_.root);
  issuing_crl_ = follow(hierarchy_.issuing);
}

Status Authority::Settle() {
  const Time now = clock_.Now();
  if (roles_.Issue()) {
    heartbeat_.emplace(backend_->leases());
    AGENTCA_TRY(heartbeat_->Start());
    // One serve at a time (DIR/serve.lock): every intent of this node that is there was interrupted.
    AGENTCA_TRY(ca::AbandonInterrupted(backend_->certificates(), *audit_,
                                       ca::WorkScope::kOwnAndDead, now));
  }
  AGENTCA_TRY(audit_->Append(
      "serve-started", {{"store", backend_->Describe()}, {"roles", roles_.ToString()}}, now));
  const Status renewed = renewals_->RunOnce();
  if (renewed.ok() || roles_.Issue()) return renewed;
  // Another node issues what this one lacks: it may come at any time, and /readyz says so.
  Log(Level::kError, "cannot take up the OCSP certificate", {{"cause", renewed.error().detail}});
  return {};
}

void Authority::StartThreads(std::function<void()> on_new_tls) {
  // Each starts with a publication: of what `agentca cert revoke` did while nobody served.
  std::vector<ca::CrlPublisher*> publishers;
  std::vector<ca::IssuerId> issuers;
  for (const auto& publisher : publishers_) {
    publisher->Start();
    publishers.push_back(publisher.get());
    issuers.push_back(publisher->issuer_id());
  }
  for (const auto& follower : followers_) follower->Start();
  watcher_.emplace(backend_->certificates(), *responder_, std::move(publishers),
                   std::move(issuers), kWatchPeriod);
  renewals_->Start(std::move(on_new_tls));
}

void Authority::NudgeWatcher() {
  if (watcher_) watcher_->Nudge();
}

Status Authority::AbandonLeftIntents() {
  return ca::AbandonInterrupted(backend_->certificates(), *audit_, ca::WorkScope::kDead,
                                clock_.Now());
}

Status Authority::Ready() {
  if (!keys_->Healthy()) return Error{Code::kUnavailable, "signer"};
  if (heartbeat_ && !heartbeat_->alive()) return Error{Code::kUnavailable, "store"};
  if (!backend_->acme().CheckHealth().ok()) return Error{Code::kUnavailable, "store"};
  const Time now = clock_.Now();
  if (!audit_->Check(now).ok()) return Error{Code::kUnavailable, "audit log"};
  if (!roles_.Has(Role::kOcsp)) return {};
  for (const ca::CrlSource* source : {root_crl_, issuing_crl_}) {
    const auto crl = source->current();
    if (!crl || RemainingLife(crl->summary.this_update, crl->summary.next_update, now) < kFailBelow)
      return Error{Code::kUnavailable, "crl"};
  }
  if (now >= delegate_->responds_until()) return Error{Code::kUnavailable, "ocsp"};
  return {};
}

}  // namespace agentca::cli
