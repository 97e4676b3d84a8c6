// The admin API without the network: HTTP request in, response out. JSON over mTLS; paths below
// /admin/v1; errors are problem documents. What each role may do is the table in routes.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "acme/http/message.h"
#include "acme/service.h"
#include "ca/agent_registry.h"

namespace agentca::acme::admin {

// Everything the admin API works with; references outlive it.
struct Parts {
  Memory memory;
  ca::AgentRegistry& registry;
  World world;
  ca::AgentNaming naming;
  struct Certification {
    const ca::Issuance& issuance;
    const ca::Profile& profile;  // kAdminProfile
    ca::Revoker& revoker;
    std::vector<std::string> chain_pem;  // issuing certificate first; root not included
  } certification;
  struct Hooks {
    std::function<void()> on_revoked;                // RevocationWatcher::Nudge
    std::function<void(const OrderId&)> on_decided;  // an approval was granted or denied
    // What attest::CheckSource says of keys and roots, before a source is put.
    std::function<Status(const ca::EvidenceSource&)> check_source;
  } hooks;  // each may be empty
};

// Thread-safe. Request::peer_certificate must have been verified against this CA by the edge; that
// it is an administrator's and is not revoked is checked here, at each request.
class AdminService {
 public:
  explicit AdminService(Parts parts);
  ~AdminService();
  http::Response Handle(const http::Request& request);
  http::Response Refuse(int status, std::string_view detail);  // for what the edge refused

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace agentca::acme::admin
