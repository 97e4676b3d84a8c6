// The admin API on its own listener: HTTPS with client certificates of this CA.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "acme/admin/service.h"
#include "acme/cli/authority.h"
#include "acme/cli/config.h"
#include "acme/health.h"
#include "acme/http/server.h"

namespace agentca::cli {

class AdminServer {
 public:
  // Null when the configuration has no admin-listen. References outlive it. `on_decided`: see
  // acme::admin::Parts. Answers 503, but for health, until Open.
  static Result<std::unique_ptr<AdminServer>> Start(
      const Config& config, Authority& authority, std::shared_ptr<acme::http::TlsIdentity> tls,
      const acme::Health& health, std::function<void(const acme::OrderId&)> on_decided);

  void Open() { open_.store(true, std::memory_order_release); }
  // As a client on this machine reaches it under a name that the TLS certificate has.
  const std::string& url() const { return url_; }
  void Drain(std::chrono::milliseconds deadline) { server_->Drain(deadline); }

 private:
  AdminServer(ca::Profile profile, const acme::Health& health)
      : profile_(std::move(profile)), health_(health) {}
  acme::http::Response Handle(const acme::http::Request& request);

  std::string url_;
  std::atomic<bool> open_{false};
  const ca::Profile profile_;
  const acme::Health& health_;
  std::unique_ptr<acme::admin::AdminService> service_;
  std::unique_ptr<acme::http::WorkerPool> pool_;
  std::unique_ptr<acme::http::Server> server_;
};

}  // namespace agentca::cli
