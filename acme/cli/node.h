// One serving process: the authority behind an ACME server (HTTPS), a publication server (HTTP) and
// the admin API (HTTPS), or behind those of them that are its roles.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "acme/cli/acme_server.h"
#include "acme/cli/admin_server.h"
#include "acme/cli/authority.h"
#include "acme/cli/config.h"
#include "acme/cli/pruner.h"
#include "acme/cli/publication_server.h"
#include "acme/cli/sweeper.h"
#include "acme/health.h"

namespace agentca::cli {

class Node {
 public:
  // Returns when all servers listen, and what was interrupted is taken up again. Until Open, ACME
  // and the admin API answer 503, and so does /readyz.
  static Result<std::unique_ptr<Node>> Start(const Config& config);
  // The last step of a start: whoever sees the node ready may use, announce and stop it.
  void Open();

  // "" for what is not served.
  std::string directory_url() const { return acme_server_ ? acme_server_->directory_url() : ""; }
  std::string http_url() const { return publication_server_ ? publication_server_->url() : ""; }
  std::string admin_url() const { return admin_server_ ? admin_server_->url() : ""; }
  // The base of /healthz and /readyz for this machine. Every listener has them; the admin API's
  // asks for a client certificate, the others for nothing.
  std::string health_url() const;
  void ReloadTls();  // the old identity stays, with a line in the log, when the files are not sound
  // Not ready from now on, and every answer ends its connection: balancers send clients elsewhere.
  void Leave();
  void Drain(std::chrono::milliseconds deadline);

 private:
  Node();
  void StartSweeping(const Config& config);
  Status StartServers(const Config& config);
  Status Ready() const;

  const acme::Health health_;
  std::atomic<bool> open_{false}, leaving_{false};
  std::shared_ptr<acme::http::TlsIdentity> tls_;  // outlives the renewals in authority_
  std::unique_ptr<Authority> authority_;
  // Null: not a role of this node, or no admin-listen.
  std::unique_ptr<AcmeServer> acme_server_;
  std::unique_ptr<PublicationServer> publication_server_;
  std::unique_ptr<AdminServer> admin_server_;
  std::optional<Sweeper> sweeper_;  // these two last: they use the rest
  std::optional<Pruner> pruner_;
};

}  // namespace agentca::cli
