// The network edge (Boost.Beast): strangers' bytes → Request, with limits on everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/http/message.h"
#include "acme/network_policy.h"
#include "ca/base/result.h"

namespace agentca::acme::http {

// A bounded pool of threads for work that may block. Thread-safe. The destructor finishes what was
// accepted.
class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t queue_limit);
  ~WorkerPool();
  [[nodiscard]] bool TrySubmit(std::function<void()> work);  // false: queue full or stopping
 private:
  class State;
  std::unique_ptr<State> state_;
};

// The server's TLS identity; Load replaces it for new connections (SIGHUP, renewal). TLS ≥ 1.2.
class TlsIdentity {
 public:
  static Result<std::shared_ptr<TlsIdentity>> Load(const std::filesystem::path& chain_pem,
                                                   const std::filesystem::path& key_pem);
  Status Reload();  // the old identity stays when this fails
  struct State;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

// Whom a server lets in at all: clients that show a certificate which chains to one of these CAs,
// is in time and is for clientAuth. Whether it was revoked is for the handler to ask. Nothing of a
// session outlives its connection: no tickets, no resumption. Immutable.
class TlsClients {
 public:
  // DER certificates of the CAs, roots and intermediates; kMalformed.
  static Result<std::shared_ptr<TlsClients>> Trust(const std::vector<Bytes>& authorities);
  struct State;
  const std::shared_ptr<const State>& state() const { return state_; }

 private:
  std::shared_ptr<const State> state_;
};

struct Limits {
  size_t max_header = 16 * 1024;  // octets of request line and header fields
  size_t max_body = 128 * 1024;
  std::chrono::milliseconds request_deadline{10'000};  // handshake or first octet → whole request
  std::chrono::milliseconds write_deadline{10'000};
  std::chrono::milliseconds idle_deadline{60'000};  // keep-alive, between requests
  // At the cap, the connection that has waited longest without completing a request is dropped to
  // admit the new one.
  size_t max_connections = 10'000;
  // Octets of memory that requests which are not complete may hold together. Beyond, the one that
  // has been arriving longest is dropped, or refused with 503. Only requests that hold 16 KiB and
  // more count, and what TLS holds does not.
  size_t max_buffered = 256 * 1024 * 1024;
};

struct ServerOptions {
  std::string listen;                // "ADDR:PORT" or "[V6]:PORT"; port 0 picks one
  std::shared_ptr<TlsIdentity> tls;  // null: plain HTTP
  Limits limits;
  int io_threads = 1;
  std::shared_ptr<TlsClients> clients{};  // with tls only; null: no certificate is asked for
  // Whose connections must begin with a PROXY header (proxy_header.h), which says for whom they
  // are. Others are never looked at for one: they could claim any address.
  std::vector<Cidr> balancers{};
};

// Answers on a worker thread; may block. Must not throw (the edge turns a throw into a bare 500).
using Handler = std::function<Response(const Request&)>;
// Answers at once on the I/O thread, or declines. Must not wait for anybody; may read what the
// kernel has in memory as a rule.
using FastPath = std::function<std::optional<Response>(const Request&)>;
// Makes the answer for a request the edge itself refuses: (status, what was wrong) → Response. 400,
// 408, 413, 414, 431, 503.
using Refusal = std::function<Response(int status, std::string_view detail)>;

class Server {
 public:
  // kUnavailable when the address cannot be bound (never shared with another process).
  static Result<std::unique_ptr<Server>> Listen(ServerOptions options, WorkerPool& pool,
                                                Handler handler, Refusal refusal,
                                                FastPath fast_path = nullptr);
  ~Server();
  uint16_t port() const;
  // From now on each answer ends its connection; new ones are accepted as before. For a balancer
  // that has yet to notice that it should send its clients elsewhere.
  void Leave();
  // Stops accepting, answers what was received (with Connection: close), then closes; returns when
  // done or at the deadline. The destructor drains with a deadline of zero.
  void Drain(std::chrono::milliseconds deadline);
  size_t connections() const;

 private:
  class State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace agentca::acme::http
