#include "acme/cli/node.h"

#include <algorithm>

#include "ca/base/log.h"

namespace agentca::cli {

Node::Node() : health_([this] { return Ready(); }) {}

Result<std::unique_ptr<Node>> Node::Start(const Config& config) {
  std::unique_ptr<Node> node(new Node);
  AGENTCA_ASSIGN(node->authority_, Authority::Open(config));
  AGENTCA_ASSIGN(node->tls_, acme::http::TlsIdentity::Load(config.directory.TlsChain(),
                                                           config.directory.TlsKey()));
  Authority& authority = *node->authority_;
  authority.StartThreads([raw = node.get()] { raw->ReloadTls(); });
  AGENTCA_ASSIGN(node->publication_server_,
                 PublicationServer::Start(config, authority, node->health_));
  AGENTCA_ASSIGN(node->acme_server_,
                 AcmeServer::Start(config, authority, node->tls_, node->health_));
  AcmeServer* acme_server = node->acme_server_.get();
  AGENTCA_ASSIGN(node->admin_server_,
                 AdminServer::Start(
                     config, authority, node->tls_,
                     [acme_server](const acme::OrderId& id) { acme_server->Decided(id); }));
  return node;
}

void Node::Open() {
  if (admin_server_) admin_server_->Open();
  acme_server_->Open();
  open_.store(true, std::memory_order_release);
}

Status Node::Ready() const {
  if (!open_.load(std::memory_order_acquire)) return Error{Code::kUnavailable, "starting"};
  return authority_->Ready();
}

void Node::ReloadTls() {
  if (const Status status = tls_->Reload(); !status.ok())
    Log(Level::kError, "cannot reload the TLS certificate", {{"cause", status.error().detail}});
  else
    Log(Level::kInfo, "reloaded the TLS certificate");
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
  acme_server_->Drain(left());
  publication_server_->Drain(left());  // relying parties are answered until ACME clients are done
}

}  // namespace agentca::cli
