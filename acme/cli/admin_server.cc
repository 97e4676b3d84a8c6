#include "acme/cli/admin_server.h"

#include "acme/admin/administrator.h"
#include "acme/attest/trust.h"
#include "acme/cli/local_url.h"
#include "acme/cli/profiles.h"

namespace agentca::cli {
namespace {

// Administrators are few, and each request is a transaction or two.
constexpr size_t kThreads = 4;
constexpr size_t kQueue = 64;
constexpr size_t kConnections = 256;

acme::admin::Parts MakeParts(const Config& config, Authority& authority, const ca::Profile& profile,
                             std::function<void(const acme::OrderId&)> on_decided) {
  storage::Backend& backend = authority.backend();
  return {
      .memory = {backend.acme(), backend.certificates(), authority.audit()},
      .registry = backend.agents(),
      .world = {authority.clock(), authority.random()},
      .naming = ca::AgentNaming(config.identity.agents_zone, config.identity.trust_domain),
      .certification = {.issuance = authority.issuance(),
                        .profile = profile,
                        .revoker = authority.revoker(),
                        .chain_pem = {authority.hierarchy().issuing.Pem()}},
      .hooks = {.on_revoked = [&authority] { authority.NudgeWatcher(); },
                .on_decided = std::move(on_decided),
                .check_source = &acme::attest::CheckSource},
  };
}

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::Start(
    const Config& config, Authority& authority, std::shared_ptr<acme::http::TlsIdentity> tls,
    const acme::Health& health, std::function<void(const acme::OrderId&)> on_decided) {
  const ServingConfig& serving = config.serving;
  if (!serving.admin_listen) return std::unique_ptr<AdminServer>();
  AGENTCA_ASSIGN(ca::Profile profile, ReadProfile(config.directory, acme::admin::kAdminProfile));
  std::unique_ptr<AdminServer> out(new AdminServer(std::move(profile), health));
  out->service_ = std::make_unique<acme::admin::AdminService>(
      MakeParts(config, authority, out->profile_, std::move(on_decided)));
  out->pool_ = std::make_unique<acme::http::WorkerPool>(kThreads, kQueue);
  const Hierarchy& hierarchy = authority.hierarchy();
  AGENTCA_ASSIGN(auto clients, acme::http::TlsClients::Trust({hierarchy.root.certificate.der,
                                                              hierarchy.issuing.certificate.der}));
  acme::http::Limits limits = serving.limits;
  limits.max_connections = std::min(limits.max_connections, kConnections);
  AdminServer* raw = out.get();
  AGENTCA_ASSIGN(
      out->server_,
      acme::http::Server::Listen(
          {serving.admin_listen->text, std::move(tls), limits, 1, std::move(clients),
           Before(Role::kAdmin, serving.balancers)},
          *out->pool_,
          [raw](const acme::http::Request& request) { return raw->Handle(request); },
          [raw](int status, std::string_view detail) {
            return raw->service_->Refuse(status, detail);
          }));
  AGENTCA_ASSIGN(out->url_, LocalUrl(config, *serving.admin_listen, out->server_->port()));
  return out;
}

acme::http::Response AdminServer::Handle(const acme::http::Request& request) {
  if (auto response = health_.Handle(request)) return *std::move(response);
  if (open_.load(std::memory_order_acquire)) return service_->Handle(request);
  return service_->Refuse(503, "starting").With("Retry-After", "1");
}

}  // namespace agentca::cli
