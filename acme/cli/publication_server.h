// The server of what relying parties fetch (plain HTTP): OCSP, CRLs, CA certificates, health.
#pragma once

#include <memory>
#include <string>

#include "acme/cli/authority.h"
#include "acme/cli/config.h"
#include "acme/health.h"
#include "acme/http/server.h"
#include "acme/publication.h"

namespace agentca::cli {

class PublicationServer {
 public:
  // References outlive it.
  static Result<std::unique_ptr<PublicationServer>> Start(const Config& config,
                                                          Authority& authority,
                                                          const acme::Health& health);
  const std::string& url() const { return url_; }
  void Drain(std::chrono::milliseconds deadline) { server_->Drain(deadline); }

 private:
  explicit PublicationServer(acme::Publication::Parts parts) : publication_(std::move(parts)) {}
  std::string url_;
  acme::Publication publication_;
  std::unique_ptr<acme::http::WorkerPool> pool_;
  std::unique_ptr<acme::http::Server> server_;
};

}  // namespace agentca::cli
