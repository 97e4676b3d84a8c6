#include "acme/cli/run_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "ca/base/file.h"

namespace agentca::cli {
namespace {

constexpr size_t kMaxOutput = size_t{1} << 20;

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

// Ours, with those of the program in place of the same names.
std::vector<std::string> EnvironmentOf(const Program& program) {
  std::vector<std::string> out;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view entry(*each);
    bool replaced = false;
    for (const auto& [name, value] : program.environment)
      replaced = replaced || entry.starts_with(name + "=");
    if (!replaced) out.emplace_back(entry);
  }
  for (const auto& [name, value] : program.environment) out.push_back(name + "=" + value);
  return out;
}

Result<pid_t> Spawn(const Program& program, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;  // a process group of its own, so that all of it can be ended
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words = program.command;
  std::vector<std::string> variables = EnvironmentOf(program);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, words.front().c_str(), &actions, &attributes,
                                   Pointers(words).data(), Pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return pid;
  return Error{Code::kUnavailable, "cannot run " + words.front() + ": " + std::strerror(error)};
}

// True when all of it was read.
bool ReadAll(int fd, std::string& out) {
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    if (out.size() + static_cast<size_t>(got) > kMaxOutput) return false;
    out.append(buffer, static_cast<size_t>(got));
  }
}

int Reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<std::string> OutputOf(const Program& program) {
  if (program.command.empty()) return Error{Code::kMalformed, "no program to run"};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return Error{Code::kUnavailable, std::string("no pipe: ") + std::strerror(errno)};
  const FileDescriptor read_end(ends[0]);
  std::string output;
  pid_t pid = 0;
  bool whole = false;
  {
    const FileDescriptor write_end(ends[1]);
    AGENTCA_ASSIGN(pid, Spawn(program, write_end.get()));
  }
  whole = ReadAll(read_end.get(), output);
  if (!whole) ::kill(-pid, SIGKILL);
  const int status = Reap(pid);
  const std::string& name = program.command.front();
  if (!whole) return Error{Code::kUnavailable, name + ": its output is too long"};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  return Error{Code::kUnavailable,
               name + (WIFEXITED(status) ? " exited with " + std::to_string(WEXITSTATUS(status))
                                         : std::string(" was killed"))};
}

}  // namespace agentca::cli
