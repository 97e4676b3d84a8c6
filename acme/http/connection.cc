#include "acme/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>

#include "acme/http/shard.h"
#include "acme/http/tls_state.h"
#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

constexpr int kMaxSteps = 32;                  // before others get their turn
constexpr size_t kWriteProgress = 64 * 1024;   // octets that earn another write deadline
constexpr size_t kMaxDiscarded = 1024 * 1024;  // octets read while lingering
constexpr size_t kHeldStep = 16 * 1024;        // octets between two looks at the edge's account
constexpr size_t kKeptCapacity = 512;          // octets of buffer an idle connection keeps

std::shared_ptr<SSL_CTX> ContextOf(const std::shared_ptr<TlsIdentity>& identity) {
  return identity ? identity->state()->context() : nullptr;
}

void Release(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptCapacity) buffer.shrink_to_fit();
}

}  // namespace

Connection::Connection(std::shared_ptr<Shard> shard, Socket socket, Peer peer)
    : shard_(std::move(shard)),
      socket_(std::move(socket)),
      channel_(socket_.native_handle(), ContextOf(shard_->edge().tls()), shard_->edge().clients()),
      reader_({shard_->edge().limits().max_header, shard_->edge().limits().max_body},
              std::move(peer.address)),
      phase_(peer.balancer ? Phase::kProxyHeader : FirstPhase()) {}

Connection::~Connection() = default;

bool Connection::Draining() const { return shard_->edge().draining(); }

void Connection::Start() {
  self_ = shared_from_this();
  shard_->Arm(*this, Shard::Deadline::kRequest);
  shard_->MarkWaiting(*this);
  Advance();
}

void Connection::Advance() {
  try {
    for (int steps = 0; steps < kMaxSteps; ++steps) {
      switch (Step()) {
        case Next::kAgain:
          continue;
        case Next::kReadable:
          return Wait(Socket::wait_read);
        case Next::kWritable:
          return Wait(Socket::wait_write);
        case Next::kParked:
          return;
      }
    }
    boost::asio::post(shard_->io(), [self = shared_from_this()] { self->Advance(); });
  } catch (const std::exception& e) {
    Log(Level::kError, "a connection failed", {{"what", e.what()}});
    Abort();
  }
}

void Connection::Wait(Socket::wait_type what) {
  socket_.async_wait(what, [self = shared_from_this()](const boost::system::error_code& ec) {
    if (self->phase_ == Phase::kClosed) return;
    if (ec) return self->Close();
    self->Advance();
  });
}

Connection::Next Connection::Step() {
  switch (phase_) {
    case Phase::kProxyHeader:
      return ReadProxyHeader();
    case Phase::kHandshake:
      return Handshake();
    case Phase::kIdle:
    case Phase::kReceiving:
      return Receive();
    case Phase::kSending:
      return Send();
    case Phase::kLingering:
      return Linger();
    case Phase::kHandling:
    case Phase::kClosed:
      break;
  }
  return Next::kParked;
}

Connection::Next Connection::Handshake() {
  switch (channel_.Handshake()) {
    case Channel::Outcome::kProgress:
      reader_.SetPeerCertificate(channel_.PeerCertificate());
      phase_ = Phase::kReceiving;
      return Next::kAgain;
    case Channel::Outcome::kNeedsRead:
      return AwaitOctets();
    case Channel::Outcome::kNeedsWrite:
      return Next::kWritable;
    default:
      break;
  }
  // The alert that tells a client why its certificate will not do shall reach it.
  if (shard_->edge().clients()) return BeginLinger();
  Close();
  return Next::kParked;
}

Connection::Next Connection::AwaitOctets() {
  if (!Draining() || received_) return Next::kReadable;
  Close();
  return Next::kParked;
}

void Connection::BeginRequest() {
  received_ = true;
  if (phase_ != Phase::kIdle) return;  // the first request's time runs since the accept
  phase_ = Phase::kReceiving;
  shard_->Arm(*this, Shard::Deadline::kRequest);
}

Connection::Next Connection::Receive() {
  if (!input_.empty()) {
    BeginRequest();
    const auto progress = reader_.Consume(input_);
    const bool unfinished = progress == RequestReader::Progress::kNeedMore ||
                            progress == RequestReader::Progress::kExpects;
    if (unfinished && !MayHold()) return Refuse(503, "too many large requests are arriving");
    switch (progress) {
      case RequestReader::Progress::kNeedMore:
        break;
      case RequestReader::Progress::kComplete:
        return Dispatch();
      case RequestReader::Progress::kRefused:
        return Refuse(reader_.status(), reader_.detail());
      case RequestReader::Progress::kExpects:
        head_ = "HTTP/1.1 100 Continue\r\n\r\n";
        with_body_ = false;
        sent_ = 0;
        after_ = After::kBody;
        phase_ = Phase::kSending;  // under the deadline of the request
        return Next::kAgain;
    }
  }
  if (!may_have_more_) {
    may_have_more_ = true;
    return AwaitOctets();
  }
  const auto scratch = shard_->scratch();
  const auto got = channel_.Read(scratch);
  switch (got.outcome) {
    case Channel::Outcome::kProgress:
      break;
    case Channel::Outcome::kNeedsRead:
      return AwaitOctets();
    case Channel::Outcome::kNeedsWrite:
      return Next::kWritable;
    default:
      Close();
      return Next::kParked;
  }
  input_.append(scratch.data(), got.octets);
  may_have_more_ = channel_.MayHaveMore(got.octets, scratch.size());
  return Next::kAgain;
}

Connection::Next Connection::Refuse(int status, std::string_view detail) {
  Answer(shard_->edge().Refuse(status, detail), After::kLinger);
  reader_.Reset();
  Release(input_);
  LetGo();
  return Next::kAgain;
}

bool Connection::MayHold() {
  const size_t held = (input_.capacity() + reader_.held()) / kHeldStep * kHeldStep;
  if (held <= held_) return true;
  if (held_ == 0) shard_->MarkLarge(*this);
  Edge& edge = shard_->edge();
  edge.Hold(held - held_);
  held_ = held;
  while (edge.overfull())
    if (!shard_->DropLongestArriving(*this)) return false;
  return true;
}

void Connection::LetGo() {
  large_hook.unlink();
  shard_->edge().LetGo(held_);
  held_ = 0;
}

Connection::Next Connection::Dispatch() {
  waiting_hook.unlink();
  large_hook.unlink();
  Shard::Disarm(*this);
  Edge& edge = shard_->edge();
  if (auto response = edge.HandleFast(reader_.request())) {
    Answer(std::move(*response));
    return Next::kAgain;
  }
  phase_ = Phase::kHandling;
  if (edge.pool().TrySubmit([self = shared_from_this()] { self->HandleOnWorker(); }))
    return Next::kParked;
  Answer(edge.Refuse(503, "too many requests are waiting"));
  return Next::kAgain;
}

// The request is the worker's until Complete: nothing on the I/O thread touches it meanwhile.
void Connection::HandleOnWorker() {
  Gate& gate = shard_->edge().gate();
  if (!gate.Enter()) return;
  const std::unique_ptr<Gate, void (*)(Gate*)> leave(&gate, [](Gate* g) { g->Leave(); });
  auto response = shard_->edge().Handle(reader_.request());
  boost::asio::post(shard_->io(), [self = shared_from_this(), r = std::move(response)]() mutable {
    self->Complete(std::move(r));
  });
}

void Connection::Complete(Response response) {
  if (phase_ == Phase::kClosed) return;
  Answer(std::move(response));
  Advance();
}

void Connection::Answer(Response response) {
  const bool stay = reader_.keep_alive() && !shard_->edge().leaving();
  Answer(std::move(response), stay ? After::kNextRequest : After::kClose);
}

void Connection::Answer(Response response, After after) {
  if (response.status < 200 || response.status > 599) {
    Log(Level::kError, "a handler answered with an impossible status",
        {{"status", std::to_string(response.status)}});
    response = Response{};
    response.status = 500;
  }
  response_ = std::move(response);
  after_ = after;
  with_body_ = HasContent(response_.status) && reader_.request().method != "HEAD";
  HeadContext context;
  context.date = shard_->date().Value();
  context.close = after != After::kNextRequest;
  context.http10_keep_alive = !reader_.http11();
  context.nosniff = channel_.secure();
  head_ = BuildHead(response_, context);
  sent_ = rearmed_at_ = 0;
  phase_ = Phase::kSending;
  shard_->Arm(*this, Shard::Deadline::kWrite);
}

Connection::Next Connection::Send() {
  ByteView head = AsBytes(head_);
  ByteView body;
  if (with_body_)
    body = response_.shared_body ? ByteView(*response_.shared_body) : AsBytes(response_.body);
  const size_t total = head.size() + body.size();
  body = body.subspan(sent_ > head.size() ? sent_ - head.size() : 0);
  head = head.subspan(std::min(sent_, head.size()));
  const auto transfer = channel_.Write(head, body, shard_->scratch());
  switch (transfer.outcome) {
    case Channel::Outcome::kProgress:
      break;
    case Channel::Outcome::kNeedsWrite:
      return Next::kWritable;
    case Channel::Outcome::kNeedsRead:
      return Next::kReadable;
    default:
      Close();
      return Next::kParked;
  }
  sent_ += transfer.octets;
  if (sent_ == total) return Sent();
  if (sent_ - rearmed_at_ >= kWriteProgress && after_ != After::kBody) {
    rearmed_at_ = sent_;
    shard_->Arm(*this, Shard::Deadline::kWrite);
  }
  return Next::kAgain;
}

Connection::Next Connection::Sent() {
  response_ = Response{};
  Release(head_);
  switch (after_) {
    case After::kBody:
      phase_ = Phase::kReceiving;
      return Next::kAgain;
    case After::kClose:
      Close();
      return Next::kParked;
    case After::kLinger:
      return BeginLinger();
    case After::kNextRequest:
      break;
  }
  reader_.Reset();
  LetGo();
  received_ = false;
  phase_ = Phase::kIdle;
  if (input_.empty()) Release(input_);
  shard_->MarkWaiting(*this);
  shard_->Arm(*this, Shard::Deadline::kIdle);
  return Next::kAgain;
}

// Closing with unread octets would reset the connection before the client reads the answer.
Connection::Next Connection::BeginLinger() {
  channel_.EndWriting();
  waiting_hook.unlink();
  phase_ = Phase::kLingering;
  shard_->Arm(*this, Shard::Deadline::kLinger);
  return Next::kAgain;
}

Connection::Next Connection::Linger() {
  const auto got = channel_.ReadRaw(shard_->scratch());
  if (got.outcome == Channel::Outcome::kNeedsRead) return Next::kReadable;
  discarded_ += got.octets;
  if (got.outcome == Channel::Outcome::kProgress && discarded_ < kMaxDiscarded) return Next::kAgain;
  Close();
  return Next::kParked;
}

void Connection::Expire() {
  if (phase_ == Phase::kSending) return Abort();
  if (phase_ == Phase::kProxyHeader) return (void)LackHeader("it did not come in time");
  if (phase_ == Phase::kReceiving && received_) {
    // RFC 9110 §15.5.9; one attempt, for a client this slow gets no more of our time.
    Answer(shard_->edge().Refuse(408, "the request took too long to arrive"), After::kClose);
    (void)channel_.Write(AsBytes(head_), AsBytes(response_.body), shard_->scratch());
  }
  Close();
}

void Connection::BeginDrain() {
  if (phase_ == Phase::kHandling || phase_ == Phase::kSending || phase_ == Phase::kLingering ||
      received_ || (phase_ != Phase::kProxyHeader && !input_.empty()) || channel_.HoldsOctets())
    return;
  // Octets that the kernel already holds were received: the pending wait will find them.
  char octet;
  if (::recv(socket_.native_handle(), &octet, 1, MSG_PEEK) > 0) return;
  Close();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  channel_.EndWriting();
  Finish();
}

void Connection::Abort() {
  if (phase_ == Phase::kClosed) return;
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  Finish();
}

void Connection::Finish() {
  const auto last = std::move(self_);  // may be the only one
  phase_ = Phase::kClosed;
  all_hook.unlink();
  deadline_hook.unlink();
  waiting_hook.unlink();
  LetGo();
  boost::system::error_code ignored;
  socket_.close(ignored);
  shard_->Forget();
}

}  // namespace agentca::acme::http
