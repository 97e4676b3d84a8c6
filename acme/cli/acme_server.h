// The ACME server (HTTPS) with validation and settlement.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "acme/challenge/challenges.h"
#include "acme/cli/authority.h"
#include "acme/cli/config.h"
#include "acme/health.h"
#include "acme/http/server.h"
#include "acme/service.h"

namespace agentca::cli {

class AcmeServer {
 public:
  // Returns when it listens and has taken up orders and validations of the last run. Answers 503,
  // but for health, until Open. References outlive it.
  static Result<std::unique_ptr<AcmeServer>> Start(const Config& config, Authority& authority,
                                                   std::shared_ptr<acme::http::TlsIdentity> tls,
                                                   const acme::Health& health);
  void Open() { open_.store(service_.get(), std::memory_order_release); }
  const std::string& directory_url() const { return directory_url_; }
  // As a client on this machine reaches it under a name that the TLS certificate has.
  const std::string& local_url() const { return local_url_; }
  // An approval was granted or denied.
  void Decided(const acme::OrderId& id);
  // See acme::Service.
  Status TakeOver() { return service_->TakeOver(); }
  void Drain(std::chrono::milliseconds deadline) { server_->Drain(deadline); }

 private:
  explicit AcmeServer(const acme::Health& health) : health_(health) {}
  Status Listen(const Config& config, std::shared_ptr<acme::http::TlsIdentity> tls);
  Status StartService(const Config& config, Authority& authority);
  acme::http::Response Handle(const acme::http::Request& request);
  std::optional<acme::http::Response> HandleFast(const acme::http::Request& request);
  acme::http::Response Refuse(int status, std::string_view detail);

  const acme::Health& health_;
  std::string directory_url_, local_url_;
  std::optional<ca::Profile> profile_;
  std::optional<acme::Links> links_;
  std::unique_ptr<acme::Resolver> resolver_;
  std::unique_ptr<acme::Service> service_;
  // Null until Open: the port must be known before there is a service (its URLs hold it).
  std::atomic<acme::Service*> open_{nullptr};
  std::unique_ptr<acme::http::WorkerPool> pool_;
  std::unique_ptr<acme::http::Server> server_;
};

}  // namespace agentca::cli
