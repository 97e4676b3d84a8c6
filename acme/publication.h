// What relying parties fetch over plain HTTP: OCSP, CRLs, issuer certificates, health.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "acme/http/message.h"
#include "ca/base/clock.h"
#include "ca/crl_publisher.h"
#include "ca/responder.h"

namespace agentca::acme {

// Routes: GET /root.pem, /issuer/ID.der, /crl/ID.crl, /ocsp/BASE64 and POST /ocsp, GET /healthz
// (200 while the process lives), /readyz (200 only when store and signer work and CRLs are fresh;
// otherwise 503 with the failing part's name and nothing else). HEAD where GET. Others 404, 405.
class Publication {
 public:
  struct Parts {
    ca::Responder& responder;
    const Clock& clock;
    std::string root_pem;
    std::map<ca::IssuerId, Bytes> issuers;                    // DER certificates
    std::map<ca::IssuerId, const ca::CrlPublisher*> crls;
    std::function<Status()> ready;                            // error detail names the part
  };
  explicit Publication(Parts parts);
  ~Publication();
  http::Response Handle(const http::Request& request);
  // Cached OCSP answers, on the I/O thread.
  std::optional<http::Response> HandleFast(const http::Request& request);
  http::Response Refuse(int status, std::string_view detail);

 private:
  Parts parts_;
};

}  // namespace agentca::acme
