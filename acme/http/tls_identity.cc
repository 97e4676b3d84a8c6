#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "acme/http/tls_state.h"

namespace agentca::acme::http {
namespace {

constexpr off_t kMaxPemFile = 1 << 20;

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

Error Failure(const std::filesystem::path& path, std::string_view what) {
  return Error{Code::kInternal, "TLS identity " + path.string() + ": " + std::string(what)};
}

std::string LastOpenSslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown cause";
}

Result<Bytes> ReadAll(const std::filesystem::path& path, int descriptor, off_t size) {
  Bytes content(static_cast<size_t>(size));
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::read(descriptor, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failure(path, std::strerror(errno));
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  content.resize(done);
  return content;
}

// `forbidden`: permission bits that must be clear. Checked on the open file, not on its name.
Result<Bytes> ReadPem(const std::filesystem::path& path, mode_t forbidden) {
  const File file(path);
  if (file.descriptor() < 0) return Failure(path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) return Failure(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return Failure(path, "not a regular file");
  if (status.st_size > kMaxPemFile) return Failure(path, "too large");
  if ((status.st_mode & forbidden) != 0)
    return Failure(path, "others than its owner and group can read it, or its group can write it");
  return ReadAll(path, file.descriptor(), status.st_size);
}

BioPtr Over(const Bytes& bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

int NoPassword(char*, int, int, void*) { return -1; }  // never ask on a terminal

Status UseChain(SSL_CTX* context, const std::filesystem::path& path) {
  AGENTCA_ASSIGN(const Bytes pem, ReadPem(path, 0));
  const BioPtr bio = Over(pem);
  const X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  if (!leaf) return Failure(path, "no certificate: " + LastOpenSslError());
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return Failure(path, LastOpenSslError());
  for (;;) {
    X509Ptr next(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) return Failure(path, LastOpenSslError());
    (void)next.release();  // the context owns it now
  }
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return Failure(path, "a certificate of the chain cannot be read");
  return {};
}

Status UseKey(SSL_CTX* context, const std::filesystem::path& path) {
  AGENTCA_ASSIGN(Bytes pem, ReadPem(path, S_IRWXO | S_IWGRP | S_IXGRP));
  const BioPtr bio = Over(pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!key) return Failure(path, "no private key: " + LastOpenSslError());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return Failure(path, "the key does not belong to the certificate");
  }
  return {};
}

// RFC 7301 §3.2: without a protocol in common the server shall refuse the handshake.
int SelectHttp(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
               unsigned int in_length, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_length, kHttp11, sizeof kHttp11 - 1, in, in_length) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

// Forward secrecy and authenticated encryption only; one stateless ticket per handshake.
bool Configure(SSL_CTX* context) {
  static constexpr unsigned char kSessionContext[] = "agentca";
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);  // header and body of a record by one call
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, SelectHttp, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_set_num_tickets(context, 1) == 1 &&
         SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1) == 1;
}

Result<std::shared_ptr<SSL_CTX>> MakeContext(const TlsIdentity::State& state) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context || !Configure(context.get()))
    return Error{Code::kInternal, "TLS context: " + LastOpenSslError()};
  AGENTCA_TRY(UseChain(context.get(), state.chain_pem));
  AGENTCA_TRY(UseKey(context.get(), state.key_pem));
  return context;
}

}  // namespace

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::Load(const std::filesystem::path& chain_pem,
                                                       const std::filesystem::path& key_pem) {
  auto identity = std::make_shared<TlsIdentity>();
  identity->state_ = std::make_shared<State>();
  identity->state_->chain_pem = chain_pem;
  identity->state_->key_pem = key_pem;
  AGENTCA_TRY(identity->Reload());
  return identity;
}

Status TlsIdentity::Reload() {
  AGENTCA_ASSIGN(auto context, MakeContext(*state_));
  std::lock_guard lock(state_->mutex);
  state_->current.swap(context);
  return {};
}

}  // namespace agentca::acme::http
