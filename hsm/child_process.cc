#include "hsm/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace agentca::hsm {
namespace {

constexpr int kSocketInChild = 3;

// What posix_spawn does between vfork and exec; the calls below are async-signal-safe by design,
// which a fork with code of ours in it, in a process full of threads, could not be.
class SpawnPlan {
 public:
  explicit SpawnPlan(int socket) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    failed_ |= posix_spawn_file_actions_adddup2(&actions_, socket, kSocketInChild) != 0;
    failed_ |= posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0) != 0;
    failed_ |= posix_spawn_file_actions_addclosefrom_np(&actions_, kSocketInChild + 1) != 0;
    failed_ |= posix_spawnattr_setsigmask(&attributes_, &none) != 0;
    failed_ |= posix_spawnattr_setsigdefault(&attributes_, &all) != 0;
    failed_ |= posix_spawnattr_setpgroup(&attributes_, 0) != 0;
    failed_ |=
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETPGROUP) != 0;
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // The child's pid, or 0 with errno set.
  pid_t Run(const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        failed_ ? ENOMEM
                : posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), environ);
    errno = error;
    return error == 0 ? pid : 0;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  bool failed_ = false;
};

std::string InWords(int status) {
  if (WIFEXITED(status)) return "exit code " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return std::string("killed: ") + strsignal(WTERMSIG(status));
  return "status " + std::to_string(status);
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::Spawn(const std::vector<std::string>& command,
                                                          int socket) {
  const pid_t pid = SpawnPlan(socket).Run(command);
  if (pid == 0) {
    return Error{Code::kUnavailable, "cannot run " + command.front() + ": " + std::strerror(errno)};
  }
  // By its number: glibc 2.36 declares pidfd_open without extern "C".
  FileDescriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid, std::move(pidfd)));
  if (!child->pidfd_.valid()) return FileError("cannot watch", command.front());
  return child;
}

ChildProcess::~ChildProcess() { End(std::chrono::milliseconds(0)); }

std::string ChildProcess::End(std::chrono::milliseconds patience) {
  if (reaped_) return "ended before";
  pollfd ended{pidfd_.get(), POLLIN, 0};
  const auto until = std::chrono::steady_clock::now() + patience;
  int ready = 0;
  do {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    ready = pidfd_.valid() ? poll(&ended, 1, std::max(0, static_cast<int>(left.count()))) : 0;
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) kill(pid_, SIGKILL);  // not reaped yet, so the pid is still this child's
  int status = 0;
  pid_t result = 0;
  do {
    result = waitpid(pid_, &status, 0);
  } while (result < 0 && errno == EINTR);
  reaped_ = true;
  return result == pid_ ? InWords(status) : "reaped elsewhere";
}

}  // namespace agentca::hsm
