// A connection of validation to a stranger: one checked address, one deadline, plain or TLS.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "acme/challenge/challenges.h"

namespace agentca::acme {

using Deadline = std::chrono::steady_clock::time_point;

class Wire {
 public:
  // Connects to exactly this address. kConnection.
  static Result<std::unique_ptr<Wire>> Connect(ByteView address, uint16_t port, Deadline deadline);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // TLS as a client that believes any certificate. `sni` may be empty. kTls.
  Status StartTls(SSL_CTX* context, const std::string& sni, Deadline deadline);
  SSL* ssl() const { return ssl_.get(); }
  Status Write(ByteView octets, Deadline deadline);
  // 0: the peer has ended.
  Result<size_t> Read(std::span<char> into, Deadline deadline);

 private:
  explicit Wire(int descriptor) : descriptor_(descriptor) {}
  Error Silence() const;
  Status Await(short events, Deadline deadline);
  Status AwaitTls(int result, std::string_view doing, Deadline deadline);
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  const int descriptor_;
  bool connected_ = false;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

// A client context without certificate verification: what validation learns from TLS is not who
// answers but that an answer comes from the address. Null when memory is short.
std::shared_ptr<SSL_CTX> MakeValidationTls();

// Connects to a host, IPv6 first: the first permitted address of each family, in turn, on a failure
// to connect. `host` is a DNS name, or an IP address when `literal`.
struct Dialed {
  std::unique_ptr<Wire> wire;
  std::string address;  // numeric, for messages
};
Result<Dialed> Dial(const ValidationNetwork& network, const std::string& host, bool literal,
                    uint16_t port, Deadline deadline);

// At most 64 printable ASCII octets of what a stranger sent; others become "?".
std::string Excerpt(std::string_view text);

}  // namespace agentca::acme
