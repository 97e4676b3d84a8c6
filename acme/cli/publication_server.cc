#include "acme/cli/publication_server.h"

#include <algorithm>

namespace agentca::cli {
namespace {

using acme::http::Request;

constexpr size_t kMaxBody = 16 * 1024;  // an OCSP request is far smaller

acme::Publication::Parts MakeParts(Authority& authority, const acme::Health& health) {
  const CaIdentity& root = authority.hierarchy().root;
  const CaIdentity& issuing = authority.hierarchy().issuing;
  return {
      .responder = authority.responder(),
      .clock = authority.clock(),
      .root_pem = root.Pem(),
      .issuers = {{root.info.id, root.certificate.der}, {issuing.info.id, issuing.certificate.der}},
      .crls = {{root.info.id, &authority.root_crl()}, {issuing.info.id, &authority.issuing_crl()}},
      .health = health,
  };
}

}  // namespace

Result<std::unique_ptr<PublicationServer>> PublicationServer::Start(const Config& config,
                                                                    Authority& authority,
                                                                    const acme::Health& health) {
  const ServingConfig& serving = config.serving;
  std::unique_ptr<PublicationServer> out(new PublicationServer(MakeParts(authority, health)));
  out->pool_ = std::make_unique<acme::http::WorkerPool>(serving.http_threads, serving.queue_limit);
  acme::http::Limits limits = serving.limits;
  limits.max_body = std::min(limits.max_body, kMaxBody);
  acme::Publication& publication = out->publication_;
  AGENTCA_ASSIGN(
      out->server_,
      acme::http::Server::Listen(
          {serving.http_listen.text, nullptr, limits, 1, nullptr,
           Before(Role::kOcsp, serving.balancers)},
          *out->pool_,
          [&publication](const Request& request) { return publication.Handle(request); },
          [&publication](int status, std::string_view detail) {
            return publication.Refuse(status, detail);
          },
          [&publication](const Request& request) { return publication.HandleFast(request); }));
  const std::string& listen = serving.http_listen.text;
  out->url_ = "http://" + listen.substr(0, listen.rfind(':')) + ":" +
              std::to_string(out->server_->port());
  return out;
}

}  // namespace agentca::cli
