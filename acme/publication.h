// What relying parties fetch over plain HTTP: OCSP, CRLs, issuer certificates, health.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "acme/health.h"
#include "acme/http/message.h"
#include "ca/base/clock.h"
#include "ca/crl_source.h"
#include "ca/responder.h"

namespace agentca::acme {

// Routes: GET /root.pem, /issuer/ID.der, /crl/ID.crl, /ocsp/BASE64 and POST /ocsp, and those of
// Health. HEAD where GET. Others 404, 405. Conditional requests by If-None-Match. Thread-safe.
class Publication {
 public:
  struct Parts {
    ca::Responder& responder;
    const Clock& clock;
    std::string root_pem;
    std::map<ca::IssuerId, Bytes> issuers;  // DER certificates
    std::map<ca::IssuerId, const ca::CrlSource*> crls;
    const Health& health;
  };
  explicit Publication(Parts parts);
  ~Publication();
  http::Response Handle(const http::Request& request);
  // What is in memory, cached OCSP answers above all, on the I/O thread.
  std::optional<http::Response> HandleFast(const http::Request& request);
  http::Response Refuse(int status, std::string_view detail);

 private:
  struct Document {  // never changes while the process lives
    std::string content_type;
    std::shared_ptr<const Bytes> content;
    std::string etag;
  };
  static Document MakeDocument(std::string content_type, ByteView content);
  // Answers from memory; nullopt: /readyz, or an OCSP request to be looked up.
  std::optional<http::Response> FromMemory(const http::Request& request);
  http::Response Serve(const http::Request& request, const Document& document) const;
  http::Response ServeCrl(const http::Request& request, const ca::CrlSource& source) const;
  http::Response ServeOcsp(const http::Request& request,
                           const std::shared_ptr<const ca::OcspAnswer>& answer) const;

  Parts parts_;
  std::map<std::string, Document, std::less<>> documents_;            // by path
  std::map<std::string, const ca::CrlSource*, std::less<>> crls_;  // by path
  const Bytes malformed_request_;                                     // OCSP error response
};

}  // namespace agentca::acme
