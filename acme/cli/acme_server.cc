#include "acme/cli/acme_server.h"

#include "acme/cli/local_url.h"
#include "acme/cli/own_certificates.h"
#include "acme/cli/profiles.h"
#include "acme/cli/served_agents.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

using acme::http::Request;
using acme::http::Response;

acme::ValidationNetwork MakeNetwork(const ValidationConfig& config,
                                    const acme::Resolver& resolver) {
  return {
      .resolver = resolver,
      .policy = acme::NetworkPolicy(config.allow, config.deny),
      .limits = config.limits,
      .http01_port = config.http01_port,
      .tls_alpn01_port = config.tls_alpn01_port,
  };
}

std::vector<std::unique_ptr<acme::Verifier>> MakeVerifiers(
    const ValidationConfig& config, const acme::ValidationNetwork& network) {
  std::vector<std::unique_ptr<acme::Verifier>> out;
  for (const acme::ChallengeType type : config.challenges) {
    switch (type) {
      case acme::ChallengeType::kHttp01:
        out.push_back(MakeHttp01(network));
        break;
      case acme::ChallengeType::kDns01:
        out.push_back(MakeDns01(network));
        break;
      case acme::ChallengeType::kTlsAlpn01:
        out.push_back(MakeTlsAlpn01(network));
        break;
      case acme::ChallengeType::kAgentAttest01:
        break;  // of the agents zone, where nobody chooses the types
    }
  }
  return out;
}

// What the issuing CA may not certify is refused with the order, not when it is signed.
Result<acme::Policy> MakePolicy(const Config& config) {
  acme::Policy policy = config.policy;
  AGENTCA_ASSIGN(const ca::Profile issuing, ReadProfile(config.directory, "issuing"));
  const auto& permitted = issuing.raw().permitted_dns;
  for (const auto& suffix : policy.allow_names)
    if (!IsPermitted(suffix, permitted))
      return Error{Code::kMalformed, "allow-names: '" + suffix +
                                         "' is outside the name constraints of the issuing CA"};
  if (policy.allow_names.empty()) policy.allow_names = permitted;
  // Agents are served besides.
  const std::string& zone = config.identity.agents_zone;
  if (!policy.allow_names.empty() && IsPermitted(zone, permitted))
    policy.allow_names.push_back(zone);
  policy.allow_ip_identifiers = policy.allow_ip_identifiers && PermitsIpAddresses(issuing);
  return policy;
}

// Null: this store serves one process, which then remembers its nonces itself.
Result<std::shared_ptr<const acme::NonceBooks>> OpenNonces(Authority& authority) {
  acme::NonceStore* store = authority.backend().nonces();
  if (store == nullptr) return std::shared_ptr<const acme::NonceBooks>();
  AGENTCA_ASSIGN(auto books, acme::SharedBooks(*store, authority.clock(), authority.random()));
  return std::make_shared<const acme::NonceBooks>(std::move(books));
}

// The base of every ACME URL.
std::string ExternalUrl(const Config& config, uint16_t port) {
  if (!config.serving.external_url.empty()) return config.serving.external_url;
  const auto& names = config.identity.dns_names;
  return "https://" + (names.empty() ? "localhost" : names.front()) + ":" + std::to_string(port);
}

}  // namespace

Result<std::unique_ptr<AcmeServer>> AcmeServer::Start(const Config& config, Authority& authority,
                                                      std::shared_ptr<acme::http::TlsIdentity> tls,
                                                      const acme::Health& health) {
  std::unique_ptr<AcmeServer> out(new AcmeServer(health));
  AGENTCA_TRY(out->Listen(config, std::move(tls)));
  AGENTCA_TRY(out->StartService(config, authority));
  return out;
}

Status AcmeServer::Listen(const Config& config, std::shared_ptr<acme::http::TlsIdentity> tls) {
  const ServingConfig& serving = config.serving;
  pool_ = std::make_unique<acme::http::WorkerPool>(serving.acme_threads, serving.queue_limit);
  AGENTCA_ASSIGN(
      server_,
      acme::http::Server::Listen(
          {serving.acme_listen.text, std::move(tls), serving.limits, serving.io_threads, nullptr,
           Before(Role::kAcme, serving.balancers)},
          *pool_,
          [this](const Request& request) { return Handle(request); },
          [this](int status, std::string_view detail) { return Refuse(status, detail); },
          [this](const Request& request) { return HandleFast(request); }));
  links_.emplace(ExternalUrl(config, server_->port()));
  directory_url_ = links_->Directory();
  AGENTCA_ASSIGN(local_url_, LocalUrl(config, serving.acme_listen, server_->port()));
  return {};
}

Status AcmeServer::StartService(const Config& config, Authority& authority) {
  AGENTCA_ASSIGN(profile_, ReadProfile(config.directory, config.profile));
  AGENTCA_ASSIGN(acme::Policy policy, MakePolicy(config));
  AGENTCA_ASSIGN(resolver_,
                 acme::MakeCaresResolver({.server = config.validation.resolver,
                                          .timeout = config.validation.limits.connect}));
  storage::Backend& backend = authority.backend();
  const acme::ValidationNetwork network = MakeNetwork(config.validation, *resolver_);
  AGENTCA_ASSIGN(auto nonces, OpenNonces(authority));
  AGENTCA_ASSIGN(auto agents, OpenAgents(config, backend.agents(), network));
  service_ = std::make_unique<acme::Service>(
      acme::Memory{backend.acme(), backend.certificates(), authority.audit(), std::move(nonces)},
      acme::Authority{.issuance = authority.issuance(),
                      .profile = *profile_,
                      .keys = authority.keys(),
                      .revoker = authority.revoker(),
                      .on_revoked = [&authority] { authority.NudgeWatcher(); },
                      .chain_pem = {authority.hierarchy().issuing.Pem()},
                      .agents = std::move(agents)},
      acme::World{authority.clock(), authority.random()},
      MakeVerifiers(config.validation, network), std::move(policy), *links_,
      config.validation.pool);
  return service_->Recover();
}

// Health comes before the protocol and its table of routes: it is asked while there is no service.
Response AcmeServer::Handle(const Request& request) {
  if (auto response = health_.Handle(request)) return *std::move(response);
  auto* service = open_.load(std::memory_order_acquire);
  return service == nullptr ? Refuse(503, "starting") : service->Handle(request);
}

std::optional<Response> AcmeServer::HandleFast(const Request& request) {
  if (acme::Health::Knows(request.path)) return health_.HandleFast(request);
  auto* service = open_.load(std::memory_order_acquire);
  return service == nullptr ? std::nullopt : service->HandleFast(request);
}

Response AcmeServer::Refuse(int status, std::string_view detail) {
  auto* service = open_.load(std::memory_order_acquire);
  if (service != nullptr) return service->Refuse(status, detail);
  Response response;
  response.status = 503;
  response.body = R"({"type":"urn:ietf:params:acme:error:serverInternal","detail":"starting"})";
  return response.With("Content-Type", "application/problem+json").With("Retry-After", "1");
}

// The decision is recorded: what fails now is taken up by the next sweep, of whichever node.
void AcmeServer::Decided(const acme::OrderId& id) {
  if (const Status status = service_->Decided(id); !status.ok())
    Log(Level::kError, "cannot act on a decision yet",
        {{"order", id}, {"cause", status.error().detail}});
}

}  // namespace agentca::cli
