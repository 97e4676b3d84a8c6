#include "acme/attest/jwks_fetch.h"

#include <openssl/ssl.h>

#include "acme/attest/chain.h"
#include "acme/attest/token.h"
#include "acme/challenge/answer.h"
#include "acme/challenge/url.h"
#include "acme/challenge/wire.h"
#include "ca/openssl.h"

namespace agentca::acme::attest {
namespace {

using ca::openssl::X509Ptr;

// The pinned CAs may be intermediate ones, or the server's own certificate.
Status TrustOnly(SSL_CTX* context, const std::string& ca_pem) {
  AGENTCA_ASSIGN(const auto certificates, ParsePemCertificates(ca_pem));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const Bytes& der : certificates) {
    const X509Ptr certificate = ca::openssl::Decode<X509Ptr>(d2i_X509, der);
    if (!certificate || X509_STORE_add_cert(store, certificate.get()) != 1) {
      return Error{Code::kUnavailable, "the pinned CA cannot be used"};
    }
  }
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return {};
}

// RFC 9110 §4.3.4, RFC 9525: the name or address of the URL.
bool ExpectName(SSL_CTX* context, const Url& url) {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return (url.literal ? X509_VERIFY_PARAM_set1_ip_asc(parameters, url.host.c_str())
                      : X509_VERIFY_PARAM_set1_host(parameters, url.host.c_str(), 0)) == 1;
}

Status StartTls(Wire& wire, const Url& url, const ca::EvidenceSource& source, Deadline deadline) {
  const auto context = MakeValidationTls();
  if (!context || !ExpectName(context.get(), url)) return Error{Code::kTls, "TLS cannot start"};
  AGENTCA_TRY(TrustOnly(context.get(), source.ca_pem));
  auto status = wire.StartTls(context.get(), url.literal ? std::string() : url.host, deadline);
  if (status.ok()) return status;
  Error error = std::move(status).error();
  const long verdict = wire.ssl() != nullptr ? SSL_get_verify_result(wire.ssl()) : X509_V_OK;
  if (verdict != X509_V_OK) {
    error.detail += std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
  }
  return error;
}

Result<std::string> Fetch(const ValidationNetwork& network, const ca::EvidenceSource& source) {
  const Deadline deadline = std::chrono::steady_clock::now() + network.limits.total;
  AGENTCA_ASSIGN(const Url url, ParseUrl(source.jwks_url));
  if (!url.secure) return Error{Code::kUnavailable, "the URL is not https"};
  AGENTCA_ASSIGN(const Dialed dialed, Dial(network, url.host, url.literal, url.port, deadline));
  const ca::openssl::ErrorScope errors;
  AGENTCA_TRY(StartTls(*dialed.wire, url, source, deadline));
  const std::string request = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.Authority() +
                              "\r\nUser-Agent: agentca/" AGENTCA_VERSION
                              "\r\nAccept: application/jwk-set+json, application/json"
                              "\r\nConnection: close\r\n\r\n";
  AGENTCA_TRY(dialed.wire->Write(AsBytes(request), deadline));
  AGENTCA_ASSIGN(HttpAnswer answer, ReadAnswer(*dialed.wire, network.limits, deadline));
  if (answer.status == 200) return std::move(answer.body);
  return Error{Code::kUnavailable, "status " + std::to_string(answer.status) +
                                       (answer.location.empty() ? "" : ", a redirect")};
}

}  // namespace

JwksFetch MakeJwksFetch(const ValidationNetwork& network) {
  ValidationNetwork bounded = network;
  bounded.limits.max_body = kMaxJwks;
  return [bounded](const ca::EvidenceSource& source) -> Result<std::string> {
    auto fetched = Fetch(bounded, source);
    if (fetched.ok()) return fetched;
    const bool denied = fetched.error().code == Code::kRejectedIdentifier;
    return Error{Code::kUnavailable, "fetching " + Quoted(source.jwks_url) + ": " +
                                         (denied ? "the network policy does not allow its address"
                                                 : std::move(fetched).error().detail)};
  };
}

}  // namespace agentca::acme::attest
