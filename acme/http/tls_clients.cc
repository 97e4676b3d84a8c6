#include "acme/http/tls_clients.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace agentca::acme::http {
namespace {

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Ptr = std::unique_ptr<X509, FreeX509>;

Bytes DerOf(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return {};
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Bytes SubjectOf(const X509* certificate) {
  const unsigned char* der = nullptr;
  size_t size = 0;
  if (X509_NAME_get0_der(X509_get_subject_name(certificate), &der, &size) != 1) return {};
  return {der, der + size};
}

// OpenSSL takes a certificate without extended key usage for one of every usage (RFC 5280
// §4.2.1.12); ours always say what they are for, and one that does not is not ours to trust.
int RequireClientAuth(int ok, X509_STORE_CTX* context) {
  if (ok != 1 || X509_STORE_CTX_get_error_depth(context) != 0) return ok;
  X509* leaf = X509_STORE_CTX_get_current_cert(context);
  const bool says_so = (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
                       (X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT) != 0;
  if (says_so) return 1;
  X509_STORE_CTX_set_error(context, X509_V_ERR_INVALID_PURPOSE);
  return 0;
}

STACK_OF(X509_NAME) * NamesOf(const std::vector<Bytes>& subjects) {
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  for (const Bytes& der : subjects) {
    const unsigned char* cursor = der.data();
    X509_NAME* name = d2i_X509_NAME(nullptr, &cursor, static_cast<long>(der.size()));
    if (names == nullptr || name == nullptr || sk_X509_NAME_push(names, name) == 0)
      X509_NAME_free(name);
  }
  return names;
}

}  // namespace

Result<std::shared_ptr<TlsClients>> TlsClients::Trust(const std::vector<Bytes>& authorities) {
  auto state = std::make_shared<State>();
  state->anchors = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
  if (!state->anchors) return Error{Code::kInternal, "client certificates: out of memory"};
  for (const Bytes& der : authorities) {
    const unsigned char* cursor = der.data();
    const X509Ptr authority(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
    if (!authority || X509_STORE_add_cert(state->anchors.get(), authority.get()) != 1) {
      ERR_clear_error();
      return Error{Code::kMalformed, "client certificates: an authority cannot be read"};
    }
    state->names.push_back(SubjectOf(authority.get()));
  }
  if (state->names.empty()) return Error{Code::kMalformed, "client certificates: no authority"};
  auto clients = std::make_shared<TlsClients>();
  clients->state_ = std::move(state);
  return clients;
}

bool DemandCertificate(SSL* ssl, const TlsClients::State& clients) {
  // The context of the identity is shared with servers that demand nothing: a session made there
  // carries another id context, and no session of either can be resumed here.
  static constexpr unsigned char kSessionContext[] = "agentca with client certificates";
  SSL_set_options(ssl, SSL_OP_NO_TICKET);
  SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, RequireClientAuth);
  SSL_set0_CA_list(ssl, NamesOf(clients.names));  // the connection owns the names now
  return SSL_set_num_tickets(ssl, 0) == 1 &&
         SSL_set_session_id_context(ssl, kSessionContext, sizeof kSessionContext - 1) == 1 &&
         SSL_set1_verify_cert_store(ssl, clients.anchors.get()) == 1 &&
         SSL_set_purpose(ssl, X509_PURPOSE_SSL_CLIENT) == 1;
}

Bytes VerifiedCertificate(SSL* ssl) {
  if (SSL_is_init_finished(ssl) != 1 || SSL_session_reused(ssl) == 1 ||
      SSL_get_verify_result(ssl) != X509_V_OK)
    return {};
  const X509* leaf = SSL_get0_peer_certificate(ssl);
  return leaf != nullptr ? DerOf(leaf) : Bytes();
}

}  // namespace agentca::acme::http
