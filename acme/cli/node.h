// One serving process: the authority behind an ACME server (HTTPS), a publication server (HTTP) and
// the admin API (HTTPS).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "acme/cli/admin_server.h"
#include "acme/cli/authority.h"
#include "acme/cli/config.h"
#include "acme/cli/sweeper.h"
#include "acme/http/server.h"
#include "acme/publication.h"
#include "acme/service.h"

namespace agentca::cli {

class Node {
 public:
  // Returns when all servers answer.
  static Result<std::unique_ptr<Node>> Start(const Config& config);

  const std::string& directory_url() const { return directory_url_; }
  const std::string& http_url() const { return http_url_; }
  // "" without an admin API.
  std::string admin_url() const { return admin_server_ ? admin_server_->url() : ""; }
  void ReloadTls();  // the old identity stays, with a line in the log, when the files are not sound
  void Drain(std::chrono::milliseconds deadline);

 private:
  explicit Node(const Config& config) : config_(config) {}
  Status StartServers();
  Status StartService(acme::Links links);
  void StartSweeping();
  void Decided(const acme::OrderId& id);
  acme::http::Response HandleAcme(const acme::http::Request& request);
  acme::http::Response RefuseAcme(int status, std::string_view detail);

  const Config config_;
  std::string directory_url_, http_url_;
  std::shared_ptr<acme::http::TlsIdentity> tls_;  // outlives the renewals in authority_
  std::unique_ptr<Authority> authority_;
  std::optional<ca::Profile> profile_;
  std::unique_ptr<acme::Resolver> resolver_;
  std::unique_ptr<acme::Service> service_;
  // Null until orders and validations of the last run are recovered: the port must be known before
  // there is a service (its URLs hold it), and nobody may be served before.
  std::atomic<acme::Service*> open_service_{nullptr};
  std::unique_ptr<acme::Publication> publication_;
  std::unique_ptr<acme::http::WorkerPool> acme_pool_, http_pool_;
  std::unique_ptr<acme::http::Server> acme_server_, http_server_;
  std::unique_ptr<AdminServer> admin_server_;  // null: there is no admin API
  std::optional<Sweeper> sweeper_;             // last: uses the rest
};

}  // namespace agentca::cli
