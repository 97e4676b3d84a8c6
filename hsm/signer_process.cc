#include "hsm/signer_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "ca/base/file.h"
#include "ca/base/log.h"
#include "hsm/signer_service.h"
#include "hsm/watchdog.h"

namespace agentca::hsm {
namespace {

// Neither a core file nor a debugger shall see the PIN or what a software token holds.
void Harden() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

void EndHungProcess() {
  Log(Level::kError, "a signature hangs: the signer ends itself");
  std::_Exit(kExitTokenFailed);
}

// False when the peer is gone.
bool SendAll(int socket, ByteView data) {
  while (!data.empty()) {
    const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data = data.subspan(static_cast<size_t>(sent));
  }
  return true;
}

bool SendReply(int socket, uint64_t id, const Reply& reply) {
  // A reason is cut to fit, a signature or key list always fits.
  const ByteView body = ByteView(reply.body).first(std::min(reply.body.size(), kMaxReply / 2));
  return SendAll(socket, EncodeFrame(id, static_cast<uint8_t>(reply.status), body));
}

// One connection. Every worker takes its turn at reading a whole request, then works on it while
// the next one reads: a request changes hands once, and what waits, waits in the socket.
class Connection {
 public:
  Connection(SignerService& service, Watchdog& watchdog, int socket)
      : service_(service), watchdog_(watchdog), socket_(socket) {}

  // False when the token failed.
  bool Serve(int threads) {
    std::vector<std::thread> workers;
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { Work(); });
    Work();
    for (std::thread& worker : workers) worker.join();
    return !token_failed_;
  }

 private:
  void Work() {
    while (auto request = Receive()) {
      Reply reply;
      {
        const Watchdog::Watch watch(watchdog_);
        reply = service_.Answer(*request);
      }
      const std::lock_guard lock(write_mutex_);
      const bool sent = SendReply(socket_, request->id, reply);
      if (reply.status == ReplyStatus::kUnavailable) token_failed_ = true;
      if (!sent || token_failed_) shutdown(socket_, SHUT_RD);
    }
  }

  std::optional<Frame> Receive() {
    const std::lock_guard lock(read_mutex_);
    while (!token_failed_) {
      const std::span<uint8_t> space = reader_.Space();
      const ssize_t count = recv(socket_, space.data(), space.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return std::nullopt;
      const auto complete = reader_.Advance(static_cast<size_t>(count));
      if (!complete.ok()) {
        Log(Level::kError, "client dropped", {{"reason", complete.error().detail}});
        shutdown(socket_, SHUT_RDWR);
        return std::nullopt;
      }
      if (*complete) return reader_.Take();
    }
    return std::nullopt;
  }

  SignerService& service_;
  Watchdog& watchdog_;
  const int socket_;
  std::atomic<bool> token_failed_{false};
  std::mutex read_mutex_;  // guards reader_ and the reading side of socket_
  FrameReader reader_{kMaxRequest};
  std::mutex write_mutex_;  // guards the writing side of socket_
};

bool NeedsAPerson(Code code) {
  return code == Code::kUnauthorized || code == Code::kMalformed || code == Code::kBadPublicKey;
}

int ServeConnection(SignerService& service, Watchdog& watchdog, int threads, int socket) {
  if (!SendReply(socket, 0, service.Greeting())) return 0;
  const bool ended_well = Connection(service, watchdog, socket).Serve(std::max(threads, 1));
  return ended_well ? 0 : kExitTokenFailed;
}

// Closing the sessions of a lost HSM can hang, too.
void Close(std::unique_ptr<SignerService> service, Watchdog& watchdog) {
  const Watchdog::Watch watch(watchdog);
  service.reset();
}

Result<FileDescriptor> Listen(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    return Error{Code::kMalformed, "the path of a Unix socket has at most 107 octets"};
  }
  std::copy(path.native().begin(), path.native().end(), address.sun_path);
  // The key-usage log is locked by now, so no other signer listens here: what is left is stale.
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
  FileDescriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr mode_t kMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;
  // Nobody can connect between bind and listen, so the mode is in place in time.
  if (!listener.valid() ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), kMode) != 0 || listen(listener.get(), 4) != 0) {
    return FileError("cannot listen on", path);
  }
  return listener;
}

}  // namespace

int RunSigner(const SignerOptions& options, int socket) {
  Harden();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const FileDescriptor owned(socket);
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  Watchdog watchdog(options.hang_limit, EndHungProcess);
  Result<std::unique_ptr<SignerService>> service = [&] {
    const Watchdog::Watch watch(watchdog);
    return SignerService::Open(options);
  }();
  if (service.ok()) {
    const int code = ServeConnection(**service, watchdog, options.threads, socket);
    Close(*std::move(service), watchdog);
    return code;
  }
  const bool final = NeedsAPerson(service.error().code);
  Log(Level::kError, "signer cannot start", {{"reason", service.error().detail}});
  SendReply(socket, 0,
            {final ? ReplyStatus::kGivenUp : ReplyStatus::kCannotStart,
             ToBytes(AsBytes(service.error().detail))});
  return final ? kExitGivenUp : kExitCannotStart;
}

int RunSignerOn(const SignerOptions& options, const std::filesystem::path& unix_socket) {
  Harden();
  auto service = SignerService::Open(options);
  if (!service.ok()) {
    Log(Level::kError, "signer cannot start", {{"reason", service.error().detail}});
    return NeedsAPerson(service.error().code) ? kExitGivenUp : kExitCannotStart;
  }
  const auto listener = Listen(unix_socket);
  if (!listener.ok()) {
    Log(Level::kError, "signer cannot start", {{"reason", listener.error().detail}});
    return kExitCannotStart;
  }
  Log(Level::kInfo, "signer ready", {{"socket", unix_socket.native()}});
  Watchdog watchdog(options.hang_limit, EndHungProcess);
  for (;;) {
    const FileDescriptor client(accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid() && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!client.valid()) return kExitCannotStart;
    const int code = ServeConnection(**service, watchdog, options.threads, client.get());
    if (code == 0) continue;
    Close(*std::move(service), watchdog);
    return code;
  }
}

}  // namespace agentca::hsm
