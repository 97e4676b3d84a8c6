// One serving process: the authority behind an ACME server (HTTPS), a publication server (HTTP) and
// the admin API (HTTPS).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "acme/cli/acme_server.h"
#include "acme/cli/admin_server.h"
#include "acme/cli/authority.h"
#include "acme/cli/config.h"
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

  const std::string& directory_url() const { return acme_server_->directory_url(); }
  const std::string& http_url() const { return publication_server_->url(); }
  // "" without an admin API.
  std::string admin_url() const { return admin_server_ ? admin_server_->url() : ""; }
  void ReloadTls();  // the old identity stays, with a line in the log, when the files are not sound
  void Drain(std::chrono::milliseconds deadline);

 private:
  Node();
  void StartSweeping();
  Status Ready() const;

  const acme::Health health_;
  std::atomic<bool> open_{false};
  std::shared_ptr<acme::http::TlsIdentity> tls_;  // outlives the renewals in authority_
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<AcmeServer> acme_server_;
  std::unique_ptr<PublicationServer> publication_server_;
  std::unique_ptr<AdminServer> admin_server_;  // null: there is no admin API
  std::optional<Sweeper> sweeper_;             // last: uses the rest
};

}  // namespace agentca::cli
