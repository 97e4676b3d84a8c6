#include "hsm/signer_link.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "ca/base/log.h"

namespace agentca::hsm {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kPingInterval{1000};
constexpr milliseconds kEndPatience{1000};

milliseconds Until(steady_clock::time_point instant) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(instant - steady_clock::now()));
}

}  // namespace

struct SignerLink::Call {
  std::condition_variable changed;
  std::optional<Result<Bytes>> outcome;
};

SignerLink::SignerLink(SignerClientOptions options)
    : options_(std::move(options)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      backoff_(std::min(kFirstBackoff, options_.max_backoff)),
      keeper_([this] { Keep(); }) {}

SignerLink::~SignerLink() { Stop(); }

Status SignerLink::WaitForStart() {
  const auto until = steady_clock::now() + options_.start_deadline;
  const bool retries = options_.command.empty();
  std::unique_lock lock(mutex_);
  const auto settled = [&] {
    return state_ == State::kReady || state_ == State::kGone ||
           (state_ == State::kDown && !retries);
  };
  if (retries) {
    state_changed_.wait_until(lock, until, settled);
  } else {
    state_changed_.wait(lock, settled);  // AwaitGreeting keeps the deadline
  }
  if (state_ == State::kReady) return {};
  return Error{Code::kUnavailable, last_error_};
}

void SignerLink::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    Wake();
  }
  state_changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
}

Result<Bytes> SignerLink::Sign(std::string_view key_name, ByteView message) {
  const Bytes prefix = EncodeSignPrefix(key_name);
  if (message.size() > kMaxRequest - kMaxReply) {
    return Error{Code::kInternal, "too large to be signed"};
  }
  const auto until = steady_clock::now() + options_.deadline;
  const auto call = std::make_shared<Call>();
  std::unique_lock lock(mutex_);
  if (state_ != State::kReady || broken_) return Error{Code::kUnavailable, last_error_};
  const uint64_t id = next_id_++;
  calls_.emplace(id, call);
  Bytes head =
      EncodeHeader(id, static_cast<uint8_t>(Operation::kSign), prefix.size() + message.size());
  head.insert(head.end(), prefix.begin(), prefix.end());
  Transmit(head, message);
  if (!call->changed.wait_until(lock, until, [&] { return call->outcome.has_value(); })) {
    calls_.erase(id);
    broken_ = true;
    last_error_ = "the signer missed its deadline";
    Wake();
    return Error{Code::kUnavailable, last_error_};
  }
  return *std::move(call->outcome);
}

Result<ca::PublicKey> SignerLink::KeyNamed(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  for (const NamedKey& key : keys_) {
    if (key.name == name) return key.public_key;
  }
  return Error{Code::kNotFound, "the signer has no key named " + std::string(name)};
}

bool SignerLink::Healthy() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kReady && !broken_;
}

int SignerLink::pid() const {
  const std::lock_guard lock(mutex_);
  return pid_;
}

uint64_t SignerLink::restarts() const {
  const std::lock_guard lock(mutex_);
  return times_ready_ > 0 ? times_ready_ - 1 : 0;
}

void SignerLink::Keep() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the threads that wait for them
  do {
    Disconnect(RunOnce());
  } while (AwaitBackoff());
}

Status SignerLink::RunOnce() {
  AGENTCA_TRY(Connect());
  AGENTCA_TRY(AwaitGreeting());
  return Exchange();
}

Status SignerLink::Connect() {
  reader_.emplace(kMaxReply);
  if (options_.command.empty()) return ConnectTo(options_.unix_socket);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{Code::kUnavailable, std::string("no socket pair: ") + std::strerror(errno)};
  }
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  AGENTCA_ASSIGN(child_, ChildProcess::Spawn(options_.command, theirs.get()));
  const std::lock_guard lock(mutex_);
  socket_.emplace(std::move(ours));
  pid_ = child_->pid();
  return {};
}

Status SignerLink::ConnectTo(const std::filesystem::path& unix_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = unix_socket.native();
  std::copy_n(path.begin(), std::min(path.size(), sizeof address.sun_path - 1), address.sun_path);
  // Not blocking: with its queue full, connect to a Unix socket would wait without a limit.
  FileDescriptor ours(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!ours.valid() ||
      connect(ours.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error{Code::kUnavailable, "no signer at " + path + ": " + std::strerror(errno)};
  }
  const std::lock_guard lock(mutex_);
  socket_.emplace(std::move(ours));
  return {};
}

Status SignerLink::AwaitGreeting() {
  const auto until = steady_clock::now() + options_.start_deadline;
  for (;;) {
    AGENTCA_ASSIGN(const auto greeting, ReadFrame());
    if (greeting.has_value()) return TakeGreeting(*greeting);
    const milliseconds left = Until(until);
    if (left.count() == 0) return Broken("the signer was not ready in time");
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return Error{Code::kUnavailable, "the signer was stopped"};
    }
    Poll(false, left);
  }
}

Status SignerLink::TakeGreeting(const Frame& greeting) {
  const auto status = static_cast<ReplyStatus>(greeting.kind);
  Result<std::vector<NamedKey>> keys =
      status == ReplyStatus::kReady ? ParseKeys(greeting.body)
                                    : Error{Code::kUnavailable, std::string(AsText(greeting.body))};
  const std::lock_guard lock(mutex_);
  if (keys.ok() && times_ready_ > 0 && *keys != keys_) {
    keys = Error{Code::kUnauthorized, "the signer came back with other keys; it is not used"};
    state_ = State::kGone;
  }
  if (status == ReplyStatus::kGivenUp) state_ = State::kGone;
  if (!keys.ok()) return std::move(keys).error();
  if (times_ready_++ == 0) keys_ = *std::move(keys);
  state_ = State::kReady;
  last_heard_ = steady_clock::now();
  state_changed_.notify_all();
  Log(Level::kInfo, "signer ready", {{"pid", std::to_string(pid_)}});
  return {};
}

Status SignerLink::Exchange() {
  for (;;) {
    bool and_write = false;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return {};
      if (!Flush()) broken_ = true;
      if (broken_) return Error{Code::kUnavailable, last_error_};
      and_write = !outbox_.empty();
    }
    Poll(and_write, kPingInterval);
    for (;;) {
      AGENTCA_ASSIGN(auto frame, ReadFrame());
      if (!frame.has_value()) break;
      Dispatch(*std::move(frame));
    }
    AGENTCA_TRY(PingWhenIdle());
  }
}

Result<std::optional<Frame>> SignerLink::ReadFrame() {
  for (;;) {
    const std::span<uint8_t> space = reader_->Space();
    const ssize_t count = recv(socket_->get(), space.data(), space.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return std::optional<Frame>();
    if (count <= 0) return Error{Code::kUnavailable, "the signer ended"};
    const auto complete = reader_->Advance(static_cast<size_t>(count));
    if (!complete.ok()) return Broken(complete.error().detail);
    if (*complete) return std::optional<Frame>(reader_->Take());
  }
}

void SignerLink::Poll(bool and_write, milliseconds timeout) {
  const auto events = static_cast<short>(and_write ? POLLIN | POLLOUT : POLLIN);
  std::array<pollfd, 2> watched = {
      {{socket_->get(), events, 0}, {wake_.get(), static_cast<short>(POLLIN), 0}}};
  poll(watched.data(), watched.size(), static_cast<int>(timeout.count()));  // EINTR: look again
  uint64_t count = 0;
  if (watched[1].revents != 0 && read(wake_.get(), &count, sizeof count) < 0) return;
}

Status SignerLink::PingWhenIdle() {
  const auto now = steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (ping_id_ != 0 && now - ping_sent_ > options_.deadline) {
    broken_ = true;
    last_error_ = "the signer does not answer";
  } else if (ping_id_ == 0 && calls_.empty() && now - last_heard_ >= kPingInterval) {
    ping_id_ = next_id_++;
    ping_sent_ = now;
    Transmit(EncodeHeader(ping_id_, static_cast<uint8_t>(Operation::kPing), 0), {});
  }
  return {};
}

void SignerLink::Dispatch(Frame frame) {
  const auto status = static_cast<ReplyStatus>(frame.kind);
  last_heard_ = steady_clock::now();
  if (status == ReplyStatus::kOk) backoff_ = std::min(kFirstBackoff, options_.max_backoff);
  std::unique_lock lock(mutex_);
  if (status == ReplyStatus::kUnavailable) {  // the signer is about to end: no new calls meanwhile
    broken_ = true;
    last_error_ = AsText(frame.body);
  }
  if (frame.id == ping_id_) ping_id_ = 0;
  const auto found = calls_.find(frame.id);
  if (found == calls_.end()) return;
  const std::shared_ptr<Call> call = std::move(found->second);
  calls_.erase(found);
  if (status == ReplyStatus::kOk) {
    call->outcome = std::move(frame.body);
  } else {
    const Code code = status == ReplyStatus::kUnavailable ? Code::kUnavailable : Code::kInternal;
    call->outcome = Error{code, "signer: " + std::string(AsText(frame.body))};
  }
  lock.unlock();  // the caller wants it
  call->changed.notify_one();
}

void SignerLink::Disconnect(const Status& why) {
  bool stopping = false;
  bool at_once = false;
  {
    const std::lock_guard lock(mutex_);
    if (!why.ok()) last_error_ = why.error().detail;
    if (state_ != State::kGone) state_ = State::kDown;
    at_once = std::exchange(broken_, false) && !stop_;
    stopping = stop_;
    socket_.reset();
    outbox_.clear();
    outbox_sent_ = 0;
    ping_id_ = 0;
    for (const auto& [id, call] : calls_) {
      call->outcome = Error{Code::kUnavailable, last_error_};
      call->changed.notify_one();
    }
    calls_.clear();
  }
  std::string ending = "disconnected";
  if (child_) ending = child_->End(at_once ? milliseconds(0) : kEndPatience);
  child_.reset();
  if (!stopping) {
    Log(Level::kError, "signer lost",
        {{"reason", why.ok() ? "" : why.error().detail}, {"ending", ending}});
  }
  const std::lock_guard lock(mutex_);
  pid_ = 0;
  state_changed_.notify_all();
}

bool SignerLink::AwaitBackoff() {
  std::unique_lock lock(mutex_);
  if (state_ == State::kGone) {
    Log(Level::kError, "the signer is not started again", {{"reason", last_error_}});
    return false;
  }
  if (state_changed_.wait_for(lock, backoff_, [this] { return stop_; })) return false;
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
  return true;
}

Error SignerLink::Broken(std::string why) {
  const std::lock_guard lock(mutex_);
  broken_ = true;
  return {Code::kUnavailable, std::move(why)};
}

// Never blocks: what the socket does not take now, the keeper sends when it can.
void SignerLink::Transmit(ByteView head, ByteView message) {
  size_t sent = 0;
  if (outbox_.empty()) {
    std::array<iovec, 2> parts = {{{const_cast<uint8_t*>(head.data()), head.size()},
                                   {const_cast<uint8_t*>(message.data()), message.size()}}};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    const ssize_t count = sendmsg(socket_->get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    sent = static_cast<size_t>(std::max<ssize_t>(count, 0));  // an error shows again in Flush
    if (sent == head.size() + message.size()) return;
  }
  const size_t of_head = std::min(sent, head.size());
  const ByteView rest_of_message = message.subspan(sent - of_head);
  outbox_.insert(outbox_.end(), head.begin() + static_cast<std::ptrdiff_t>(of_head), head.end());
  outbox_.insert(outbox_.end(), rest_of_message.begin(), rest_of_message.end());
  Wake();
}

// False when the stream is torn.
bool SignerLink::Flush() {
  while (outbox_sent_ < outbox_.size()) {
    const ssize_t count = send(socket_->get(), outbox_.data() + outbox_sent_,
                               outbox_.size() - outbox_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count < 0) {
      last_error_ = std::string("the signer does not take requests: ") + std::strerror(errno);
      return false;
    }
    outbox_sent_ += static_cast<size_t>(count);
  }
  outbox_ = Bytes();
  outbox_sent_ = 0;
  return true;
}

void SignerLink::Wake() const {
  const uint64_t one = 1;
  if (write(wake_.get(), &one, sizeof one) < 0) return;  // full: the keeper is woken already
}

}  // namespace agentca::hsm
