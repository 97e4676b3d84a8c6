#include "acme/cli/node.h"

#include <algorithm>

#include "acme/challenge/challenges.h"
#include "acme/cli/profiles.h"
#include "acme/cli/served_agents.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

using acme::http::Request;
using acme::http::Response;
using acme::http::Server;

constexpr size_t kMaxPublicationBody = 16 * 1024;  // an OCSP request is far smaller

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

std::string HttpUrl(const Endpoint& endpoint, uint16_t port) {
  const std::string host = endpoint.text.substr(0, endpoint.text.rfind(':'));
  return "http://" + host + ":" + std::to_string(port);
}

}  // namespace

Result<std::unique_ptr<Node>> Node::Start(const Config& config) {
  std::unique_ptr<Node> node(new Node(config));
  AGENTCA_ASSIGN(node->authority_, Authority::Open(config));
  AGENTCA_ASSIGN(node->profile_, ReadProfile(config.directory, config.profile));
  AGENTCA_ASSIGN(node->resolver_,
                 acme::MakeCaresResolver({.server = config.validation.resolver,
                                          .timeout = config.validation.limits.connect}));
  AGENTCA_ASSIGN(node->tls_, acme::http::TlsIdentity::Load(config.directory.TlsChain(),
                                                           config.directory.TlsKey()));
  node->authority_->StartThreads([raw = node.get()] { raw->ReloadTls(); });
  AGENTCA_TRY(node->StartServers());
  AGENTCA_ASSIGN(
      node->admin_server_,
      AdminServer::Start(config, *node->authority_, node->tls_,
                         [raw = node.get()](const acme::OrderId& id) { raw->Decided(id); }));
  node->StartSweeping();
  return node;
}

Status Node::StartServers() {
  const ServingConfig& serving = config_.serving;
  const Hierarchy& hierarchy = authority_->hierarchy();
  publication_ = std::make_unique<acme::Publication>(acme::Publication::Parts{
      .responder = authority_->responder(),
      .clock = authority_->clock(),
      .root_pem = hierarchy.root.Pem(),
      .issuers = {{hierarchy.root.info.id, hierarchy.root.certificate.der},
                  {hierarchy.issuing.info.id, hierarchy.issuing.certificate.der}},
      .crls = {{hierarchy.root.info.id, &authority_->root_crl()},
               {hierarchy.issuing.info.id, &authority_->issuing_crl()}},
      .ready = [this]() -> Status {
        if (open_service_.load(std::memory_order_acquire) == nullptr)
          return Error{Code::kUnavailable, "acme"};
        return authority_->Ready();
      },
  });
  acme_pool_ = std::make_unique<acme::http::WorkerPool>(serving.acme_threads, serving.queue_limit);
  http_pool_ = std::make_unique<acme::http::WorkerPool>(serving.http_threads, serving.queue_limit);

  acme::http::Limits limits = serving.limits;
  AGENTCA_ASSIGN(
      acme_server_,
      Server::Listen(
          {serving.acme_listen.text, tls_, limits, serving.io_threads}, *acme_pool_,
          [this](const Request& request) { return HandleAcme(request); },
          [this](int status, std::string_view detail) { return RefuseAcme(status, detail); },
          [this](const Request& request) -> std::optional<Response> {
            auto* service = open_service_.load(std::memory_order_acquire);
            return service == nullptr ? std::nullopt : service->HandleFast(request);
          }));
  limits.max_body = std::min(limits.max_body, kMaxPublicationBody);
  AGENTCA_ASSIGN(http_server_,
                 Server::Listen(
                     {serving.http_listen.text, nullptr, limits, 1}, *http_pool_,
                     [this](const Request& request) { return publication_->Handle(request); },
                     [this](int status, std::string_view detail) {
                       return publication_->Refuse(status, detail);
                     },
                     [this](const Request& request) { return publication_->HandleFast(request); }));

  std::string base = serving.external_url;
  if (base.empty()) {
    const auto& names = config_.identity.dns_names;
    base = "https://" + (names.empty() ? "localhost" : names.front()) + ":" +
           std::to_string(acme_server_->port());
  }
  const acme::Links links(base);
  directory_url_ = links.Directory();
  http_url_ = HttpUrl(serving.http_listen, http_server_->port());
  return StartService(links);
}

Status Node::StartService(acme::Links links) {
  AGENTCA_ASSIGN(acme::Policy policy, MakePolicy(config_));
  storage::Backend& backend = authority_->backend();
  const acme::ValidationNetwork network = MakeNetwork(config_.validation, *resolver_);
  AGENTCA_ASSIGN(auto agents, OpenAgents(config_, backend.agents(), network));
  service_ = std::make_unique<acme::Service>(
      acme::Memory{backend.acme(), backend.certificates(), authority_->audit()},
      acme::Authority{.issuance = authority_->issuance(),
                      .profile = *profile_,
                      .keys = authority_->keys(),
                      .revoker = authority_->revoker(),
                      .on_revoked = [this] { authority_->NudgeWatcher(); },
                      .chain_pem = {authority_->hierarchy().issuing.Pem()},
                      .agents = std::move(agents)},
      acme::World{authority_->clock(), authority_->random()},
      MakeVerifiers(config_.validation, network), std::move(policy), std::move(links),
      config_.validation.pool);
  AGENTCA_TRY(service_->Recover());
  open_service_.store(service_.get(), std::memory_order_release);
  return {};
}

void Node::StartSweeping() {
  sweeper_.emplace(authority_->heartbeat(),
                   std::vector<Sweep>{
                       {"intents", [this] { return authority_->AbandonLeftIntents(); }},
                       {"orders and validations", [this] { return service_->TakeOver(); }},
                   });
}

Response Node::HandleAcme(const Request& request) {
  auto* service = open_service_.load(std::memory_order_acquire);
  return service == nullptr ? RefuseAcme(503, "starting") : service->Handle(request);
}

Response Node::RefuseAcme(int status, std::string_view detail) {
  auto* service = open_service_.load(std::memory_order_acquire);
  if (service != nullptr) return service->Refuse(status, detail);
  Response response;
  response.status = 503;
  response.body = R"({"type":"urn:ietf:params:acme:error:serverInternal","detail":"starting"})";
  return response.With("Content-Type", "application/problem+json").With("Retry-After", "1");
}

// The decision is recorded: what fails now is taken up by the next sweep, of whichever node.
void Node::Decided(const acme::OrderId& id) {
  if (const Status status = service_->Decided(id); !status.ok())
    Log(Level::kError, "cannot act on a decision yet",
        {{"order", id}, {"cause", status.error().detail}});
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
  http_server_->Drain(left());  // relying parties are answered until ACME clients are done
}

}  // namespace agentca::cli
