#include "acme/cli/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "ca/base/log.h"

namespace agentca::cli {

Result<std::unique_ptr<Signals>> Signals::Watch() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0)
    return Error{Code::kInternal, "cannot block signals"};
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an error of write, not our death
  FileDescriptor signal_fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  FileDescriptor quit_fd(::eventfd(0, EFD_CLOEXEC));
  if (!signal_fd.valid() || !quit_fd.valid())
    return Error{Code::kInternal, "cannot wait for signals"};
  return std::unique_ptr<Signals>(new Signals(std::move(signal_fd), std::move(quit_fd)));
}

Signals::Signals(FileDescriptor signal_fd, FileDescriptor quit_fd)
    : signal_fd_(std::move(signal_fd)), quit_fd_(std::move(quit_fd)) {
  thread_ = std::thread([this] { Run(); });
}

Signals::~Signals() {
  const uint64_t one = 1;
  // An eventfd that counts to one cannot be full.
  if (::write(quit_fd_.get(), &one, sizeof one) == sizeof one)
    thread_.join();
  else
    thread_.detach();
}

void Signals::BeginServing() {
  std::lock_guard lock(mutex_);
  phase_ = Phase::kServing;
}

Signals::Event Signals::Wait(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stop_ || reload_; });
  if (stop_) {
    phase_ = Phase::kStopping;
    grace_ = grace;
    changed_.notify_all();
    return Event::kStop;
  }
  reload_ = false;
  return Event::kReload;
}

void Signals::Run() {
  int timeout = -1;
  for (;;) {
    pollfd fds[] = {{signal_fd_.get(), POLLIN, 0}, {quit_fd_.get(), POLLIN, 0}};
    const int ready = ::poll(fds, 2, timeout);
    if (ready == 0) {
      Log(Level::kWarning, "drain deadline passed; what was left undone is taken up at next start");
      ::_exit(0);
    }
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    while (::read(signal_fd_.get(), &info, sizeof info) == sizeof info) {
      Handle(static_cast<int>(info.ssi_signo));
      if (info.ssi_signo != SIGHUP && timeout < 0) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return phase_ == Phase::kStopping; });
        timeout = static_cast<int>(grace_.count());
      }
    }
  }
}

void Signals::Handle(int signal) {
  std::lock_guard lock(mutex_);
  if (signal == SIGHUP) {
    reload_ = true;
  } else if (stop_ || phase_ == Phase::kStarting) {
    Log(Level::kWarning, stop_ ? "second signal: ending at once" : "stopped while starting");
    ::_exit(stop_ ? 1 : 0);
  } else {
    stop_ = true;
  }
  changed_.notify_all();
}

}  // namespace agentca::cli
