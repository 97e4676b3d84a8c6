// One connection: PROXY header → handshake → (receive → handle → send)* → close. Lives on its
// shard's thread; only the handler of a request runs elsewhere. Until it is closed it holds itself,
// so that a worker that lets go of it never ends it while its shard is at it.
//
//  kProxyHeader (of a balancer)
//       │
//       ▼    Start                    request complete            answer
//   kHandshake ──► kReceiving ─────────────────────► kHandling ─────────► kSending
//      (TLS)         ▲   │ refused                       ▲ fast path: at once │  │ last
//        first octet │   └──────────────► kSending       └────────────────────┘  ▼
//                  kIdle ◄──────────────────────────────────────────────── kLingering ──► kClosed
// A handshake that fails over the client's certificate goes to kLingering as well.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "acme/http/channel.h"
#include "acme/http/peer.h"
#include "acme/http/request_reader.h"

namespace agentca::acme::http {

class Shard;

using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using Instant = std::chrono::steady_clock::time_point;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Holds the shard: a request may still wait for a worker when the server is gone.
  Connection(std::shared_ptr<Shard> shard, Socket socket, Peer peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  void Expire();      // a deadline passed
  void BeginDrain();  // closes now unless part of a request was received
  void Close();       // idempotent
  void Abort();       // resets the connection: what was not sent yet is dropped

  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  Hook all_hook, deadline_hook, waiting_hook, large_hook;  // the shard's lists
  Instant deadline{};                                      // the shard's too

 private:
  enum class Phase {
    kProxyHeader,
    kHandshake,
    kIdle,
    kReceiving,
    kHandling,
    kSending,
    kLingering,
    kClosed
  };
  enum class Next { kAgain, kReadable, kWritable, kParked };
  enum class After { kNextRequest, kBody, kClose, kLinger };

  void Advance();
  Next Step();
  Next ReadProxyHeader();
  Next LackHeader(std::string_view cause);
  Phase FirstPhase() const;  // past the PROXY header
  Next Handshake();
  Next Receive();
  Next AwaitOctets();
  Next Dispatch();
  Next Send();
  Next Sent();
  Next BeginLinger();
  Next Linger();
  Next Refuse(int status, std::string_view detail);
  bool MayHold();  // accounts for what the unfinished request holds; false: no room for it
  void LetGo();
  void HandleOnWorker();
  void Complete(Response response);
  void Answer(Response response);  // → kSending; goes on or closes as the request asked
  void Answer(Response response, After after);
  void BeginRequest();
  void Finish();
  void Wait(Socket::wait_type what);
  bool Draining() const;

  const std::shared_ptr<Shard> shard_;
  std::shared_ptr<Connection> self_;  // from Start until closed
  Socket socket_;
  Channel channel_;
  RequestReader reader_;
  Phase phase_;
  After after_ = After::kNextRequest;
  bool received_ = false;      // part of a request
  bool may_have_more_ = true;  // reading again may succeed without waiting
  std::string input_;          // received, not used yet
  std::string head_;           // to send
  Response response_;          // its body follows head_
  bool with_body_ = false;
  size_t sent_ = 0;        // of head_ and body together
  size_t rearmed_at_ = 0;  // sent_ when the write deadline last moved
  size_t discarded_ = 0;
  size_t held_ = 0;  // octets that the edge knows of
};

}  // namespace agentca::acme::http
