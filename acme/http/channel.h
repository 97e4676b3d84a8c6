// A non-blocking stream of octets over a connected socket, plain or TLS. TLS works on the socket
// directly instead of through asio's ssl::stream, whose four 17 KB buffers a connection would keep
// while idle.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>

#include "acme/http/server.h"
#include "ca/base/bytes.h"

namespace agentca::acme::http {

class Channel {
 public:
  enum class Outcome { kProgress, kNeedsRead, kNeedsWrite, kEnded, kFailed };
  struct Transfer {
    Outcome outcome;
    size_t octets = 0;  // with kProgress
  };

  // The descriptor stays the caller's and must outlive this. `context` null: plain. `clients` null:
  // no certificate is asked for.
  Channel(int descriptor, std::shared_ptr<SSL_CTX> context, std::shared_ptr<TlsClients> clients);

  bool secure() const { return ssl_ != nullptr; }
  Outcome Handshake();
  // DER of the client's verified certificate, after the handshake; empty when none was asked for.
  Bytes PeerCertificate() const;
  Transfer Read(std::span<char> into);
  // True when a Read that gave `octets` of `asked` may be followed by another without waiting.
  bool MayHaveMore(size_t octets, size_t asked) const;
  // Octets that were taken from the socket and not given out by Read yet.
  bool HoldsOctets() const { return ssl_ && SSL_has_pending(ssl_.get()) == 1; }
  // The concatenation of both; in one packet when it fits. With TLS, `scratch` is used to join.
  Transfer Write(ByteView head, ByteView body, std::span<char> scratch);
  // Says good-bye (close_notify, FIN) as far as that does not block.
  void EndWriting();
  // Octets of the socket, past TLS: what precedes the handshake, or is thrown away while lingering.
  // kProgress, kNeedsRead, kEnded or kFailed.
  Transfer ReadRaw(std::span<char> into);

 private:
  Transfer WritePlain(ByteView head, ByteView body);
  Transfer WriteSecure(ByteView head, ByteView body, std::span<char> scratch);
  Outcome Explain(int ssl_result);
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  const int descriptor_;
  const std::shared_ptr<TlsClients> clients_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  bool failed_ = false;  // SSL_shutdown must not follow a fatal error
};

}  // namespace agentca::acme::http
