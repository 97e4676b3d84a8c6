#include "acme/cli/authority.h"

#include "acme/cli/freshness.h"
#include "acme/cli/node_id.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

// A node drops the OCSP answers about a certificate that any node revoked at the latest so long after
// the revocation was committed, and as long as two reads of the store take: the bound is a second.
constexpr std::chrono::milliseconds kWatchPeriod{500};

hsm::SignerClientOptions MakeSignerOptions(const Config& config) {
  hsm::SignerClientOptions options;
  options.deadline = config.signer.deadline;
  if (!config.signer.socket.empty()) {
    options.unix_socket = config.signer.socket;
    return options;
  }
  // This very file, also after an upgrade replaced it on disk.
  options.command = {"/proc/self/exe", "signer", "--dir", config.directory.root().string()};
  return options;
}

}  // namespace

Result<std::unique_ptr<Authority>> Authority::Open(const Config& config) {
  AGENTCA_ASSIGN(Hierarchy hierarchy,
                 Hierarchy::Load(config.directory, config.identity.http_external_url));
  std::unique_ptr<Authority> authority(new Authority(std::move(hierarchy)));
  AGENTCA_TRY(authority->OpenDependencies(config));
  AGENTCA_TRY(authority->MakeIssuers(config));
  AGENTCA_TRY(authority->Settle());
  return authority;
}

Status Authority::OpenDependencies(const Config& config) {
  AGENTCA_ASSIGN(keys_, hsm::SignerClient::Start(MakeSignerOptions(config)));
  AGENTCA_ASSIGN(const ca::NodeId node, ReadNodeId(config.directory, random_));
  AGENTCA_ASSIGN(backend_, storage::Open(config.storage,
                                         config.storage == "memory:" ? storage::OpenMode::kCreate
                                                                     : storage::OpenMode::kExisting,
                                         node));
  AGENTCA_ASSIGN(audit_, ca::ChainedLog::Open(config.directory.AuditLog()));
  Log(Level::kInfo, "opened store", {{"store", backend_->Describe()}, {"node", node}});
  return {};
}

Status Authority::MakeIssuers(const Config& config) {
  ca::CertificateStore& store = backend_->certificates();
  const CaIdentity& root = hierarchy_.root;
  const CaIdentity& issuing = hierarchy_.issuing;
  AGENTCA_ASSIGN(root_signer_, keys_->Open(kRootKey));
  if (!(root_signer_->public_key() == root.certificate.key))
    return Error{Code::kInternal, "the root key is not the one of the root certificate"};
  AGENTCA_ASSIGN(auto issuing_signer, keys_->Open(kIssuingKey));
  AGENTCA_ASSIGN(issuer_,
                 ca::Issuer::Make(issuing.certificate, issuing.info, std::move(issuing_signer)));
  AGENTCA_ASSIGN(auto ocsp_signer, keys_->Open(kOcspKey));

  issuance_.emplace(*issuer_, store, *audit_, random_, config.serial_prefix);
  revoker_.emplace(store, *audit_);
  responder_.emplace(store, clock_, config.ocsp);
  const ca::CrlPublisher::Shared shared{store, backend_->leases(), backend_->documents()};
  root_crl_.emplace(root.info, *root_signer_, shared, clock_, config.crl,
                    config.directory.Crl(root.info.id));
  issuing_crl_.emplace(issuing.info, issuer_->signer(), shared, clock_, config.crl,
                       config.directory.Crl(issuing.info.id));
  AGENTCA_ASSIGN(auto own, OwnCertificates::Make(config, *issuance_));
  own_.emplace(std::move(own));
  delegate_.emplace(SharedDelegate::Parts{*own_, store, shared.leases, shared.documents, issuing,
                                          *responder_, std::move(ocsp_signer)});
  renewals_.emplace(Renewals::Parts{*own_, store, issuing.info.id, *delegate_}, clock_,
                    std::vector<const ca::CrlPublisher*>{&*root_crl_, &*issuing_crl_});
  return {};
}

Status Authority::Settle() {
  const Time now = clock_.Now();
  heartbeat_.emplace(backend_->leases());
  AGENTCA_TRY(heartbeat_->Start());
  // One serve at a time (DIR/serve.lock): every intent of this node that is there was interrupted.
  AGENTCA_TRY(ca::AbandonInterrupted(backend_->certificates(), *audit_,
                                     ca::WorkScope::kOwnAndDead, now));
  AGENTCA_TRY(audit_->Append("serve-started", {{"store", backend_->Describe()}}, now));
  return renewals_->RunOnce();
}

void Authority::StartThreads(std::function<void()> on_new_tls) {
  // Each starts with a publication: of what `agentca cert revoke` did while nobody served.
  root_crl_->Start();
  issuing_crl_->Start();
  watcher_.emplace(backend_->certificates(), *responder_,
                   std::vector<ca::CrlPublisher*>{&*root_crl_, &*issuing_crl_},
                   std::vector<ca::IssuerId>{hierarchy_.root.info.id, hierarchy_.issuing.info.id},
                   kWatchPeriod);
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
  if (!heartbeat_->alive()) return Error{Code::kUnavailable, "store"};
  if (!backend_->acme().CheckHealth().ok()) return Error{Code::kUnavailable, "store"};
  const Time now = clock_.Now();
  for (const auto* publisher : {&*root_crl_, &*issuing_crl_}) {
    const auto crl = publisher->current();
    if (!crl || RemainingLife(crl->summary.this_update, crl->summary.next_update, now) < kFailBelow)
      return Error{Code::kUnavailable, "crl"};
  }
  return {};
}

}  // namespace agentca::cli
