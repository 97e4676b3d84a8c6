// A PostgreSQL server of the test's own, which it may stop, freeze and fail over.
#pragma once

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace agentca::fakes {

// Drives tests/faults/postgres_control.py, whose orders Tell takes.
class OwnPostgres {
 public:
  explicit OwnPostgres(const char* option = "") {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error("no socket pair");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string words[] = {"python3", AGENTCA_FAULTS "/postgres_control.py", option};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    if (words[2].empty()) arguments[2] = nullptr;
    const int failed = ::posix_spawnp(&pid_, "python3", &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    channel_ = ends[0];
    if (failed != 0) throw std::runtime_error("cannot start python3");
    uri_ = ReadLine();
  }
  OwnPostgres(const OwnPostgres&) = delete;
  OwnPostgres& operator=(const OwnPostgres&) = delete;
  ~OwnPostgres() {
    ::close(channel_);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }

  const std::string& uri() const { return uri_; }  // "": PostgreSQL is not installed
  void Tell(const std::string& order) {
    const std::string line = order + "\n";
    if (::send(channel_, line.data(), line.size(), MSG_NOSIGNAL) < 0)
      throw std::runtime_error("the server's keeper is gone");
    const std::string answer = ReadLine();
    if (answer != "ok") throw std::runtime_error(order + ": " + answer);
  }

 private:
  std::string ReadLine() {
    std::string line;
    for (char c = 0; ::recv(channel_, &c, 1, 0) == 1 && c != '\n';) line += c;
    return line;
  }

  pid_t pid_ = -1;
  int channel_ = -1;
  std::string uri_;
};

}  // namespace agentca::fakes
