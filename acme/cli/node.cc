#include "acme/cli/node.h"

#include <algorithm>

#include "ca/base/log.h"

namespace agentca::cli {

Node::Node() : health_([this] { return Ready(); }) {}

Result<std::unique_ptr<Node>> Node::Start(const Config& config) {
  const Roles roles = config.serving.roles;
  std::unique_ptr<Node> node(new Node);
  AGENTCA_ASSIGN(node->authority_, Authority::Open(config));
  if (roles.Issue()) {  // and so has a TLS server
    AGENTCA_ASSIGN(node->tls_, acme::http::TlsIdentity::Load(config.directory.TlsChain(),
                                                             config.directory.TlsKey()));
  }
  node->authority_->StartThreads([raw = node.get()] { raw->ReloadTls(); });
  AGENTCA_TRY(node->StartServers(config));
  if (roles.Issue()) node->StartSweeping(config);
  return node;
}

void Node::StartSweeping(const Config& config) {
  std::vector<Sweep> sweeps{{"intents", [this] { return authority_->AbandonLeftIntents(); }}};
  if (acme_server_)
    sweeps.push_back({"orders and validations", [this] { return acme_server_->TakeOver(); }});
  sweeper_.emplace(authority_->heartbeat(), std::move(sweeps));
  pruner_.emplace(authority_->heartbeat(), authority_->backend(), authority_->clock(),
                  config.retention, config.crl);
}

Status Node::StartServers(const Config& config) {
  const Roles roles = config.serving.roles;
  if (roles.Has(Role::kOcsp)) {
    AGENTCA_ASSIGN(publication_server_, PublicationServer::Start(config, *authority_, health_));
  }
  // Where nobody serves ACME, a decision is recorded alone: a node that does acts on it.
  std::function<void(const acme::OrderId&)> on_decided;
  if (roles.Has(Role::kAcme)) {
    AGENTCA_ASSIGN(acme_server_, AcmeServer::Start(config, *authority_, tls_, health_));
    on_decided = [this](const acme::OrderId& id) { acme_server_->Decided(id); };
  }
  if (roles.Has(Role::kAdmin)) {
    AGENTCA_ASSIGN(admin_server_, AdminServer::Start(config, *authority_, tls_, health_,
                                                     std::move(on_decided)));
  }
  return {};
}

std::string Node::health_url() const {
  if (publication_server_) return publication_server_->url();
  return acme_server_ ? acme_server_->local_url() : admin_url();
}

void Node::Open() {
  if (admin_server_) admin_server_->Open();
  if (acme_server_) acme_server_->Open();
  open_.store(true, std::memory_order_release);
}

Status Node::Ready() const {
  if (!open_.load(std::memory_order_acquire)) return Error{Code::kUnavailable, "starting"};
  if (leaving_.load(std::memory_order_acquire)) return Error{Code::kUnavailable, "stopping"};
  return authority_->Ready();
}

void Node::ReloadTls() {
  if (!tls_) return;
  if (const Status status = tls_->Reload(); !status.ok())
    Log(Level::kError, "cannot reload the TLS certificate", {{"cause", status.error().detail}});
  else
    Log(Level::kInfo, "reloaded the TLS certificate");
}

void Node::Leave() {
  leaving_.store(true, std::memory_order_release);
  if (admin_server_) admin_server_->Leave();
  if (acme_server_) acme_server_->Leave();
  if (publication_server_) publication_server_->Leave();
}

void Node::Drain(std::chrono::milliseconds deadline) {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + deadline;
  const auto left = [&] {
    return std::max(milliseconds(0),
                    std::chrono::duration_cast<milliseconds>(end - steady_clock::now()));
  };
  if (admin_server_) admin_server_->Drain(left());
  if (acme_server_) acme_server_->Drain(left());
  // Relying parties are answered until ACME clients are done.
  if (publication_server_) publication_server_->Drain(left());
}

}  // namespace agentca::cli
