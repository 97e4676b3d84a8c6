#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/cli/node.h"
#include "acme/cli/signals.h"
#include "acme/json.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

// Beyond drain-deadline: threads that end, logs that are closed.
constexpr std::chrono::milliseconds kGraceAfterDrain{3000};

// Every connection is a descriptor; the soft limit is often 1024.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    Log(Level::kWarning, "cannot raise the limit of open files");
}

// Each request takes and gives back blocks of 16 KiB for TLS. By default glibc tidies up its small
// blocks and asks the kernel for memory, or returns it, at many of them: a tenth of the CPU.
void KeepMemoryAtHand() {
  constexpr int kTrimThreshold = 16 << 20;
  constexpr int kTopPad = 1 << 20;
  const bool set = ::mallopt(M_TRIM_THRESHOLD, kTrimThreshold) == 1 &&
                   ::mallopt(M_TOP_PAD, kTopPad) == 1 && ::mallopt(M_MXFAST, 0) == 1;
  if (!set) Log(Level::kWarning, "cannot tune the allocator");
}

// Of what this node serves.
std::vector<std::pair<std::string, std::string>> UrlsOf(const Node& node) {
  std::vector<std::pair<std::string, std::string>> urls{
      {"directory", node.directory_url()}, {"http", node.http_url()}, {"admin", node.admin_url()}};
  std::erase_if(urls, [](const auto& url) { return url.second.empty(); });
  return urls;
}

// For `agentca status` and clients of the admin API: what is served where, whatever was said on the
// command line.
Status Announce(const Config& config, const Node& node) {
  acme::JsonWriter json;
  json.BeginObject().Key("pid").Int(::getpid());
  json.Member("roles", config.serving.roles.ToString()).Member("health", node.health_url());
  for (const auto& [name, url] : UrlsOf(node)) json.Member(name, url);
  json.EndObject();
  return WriteTextFile(config.directory.Serving(), std::move(json).Take() + "\n", kSecretFile);
}

// The line that service managers and scripts wait for.
void SayReady(const Config& config, const Node& node) {
  std::string line = "ready:";
  for (const auto& [name, url] : UrlsOf(node)) line.append(" ").append(name).append(" ").append(url);
  std::cout << line << std::endl;
  Log(Level::kInfo, "ready",
      {{"roles", config.serving.roles.ToString()},
       {"directory", node.directory_url()},
       {"http", node.http_url()},
       {"admin", node.admin_url()}});
}

}  // namespace

Result<int> RunServe(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  SetLogLevel(config.log_level);
  AGENTCA_ASSIGN(const auto signals, Signals::Watch());
  RaiseDescriptorLimit();
  KeepMemoryAtHand();
  auto lock = FileLock::Take(config.directory.ServeLock(), FileLock::Wait::kNo);
  if (!lock.ok()) {
    if (lock.error().code != Code::kConflict) return std::move(lock).error();
    return Error{Code::kConflict,
                 "another agentca serve runs on " + config.directory.root().string()};
  }
  std::error_code ignored;
  std::filesystem::remove(config.directory.Serving(), ignored);  // of a run that was killed
  AGENTCA_ASSIGN(auto node, Node::Start(config));
  // Who sees that this node is ready may look up its URLs and may stop it: both must work by then.
  AGENTCA_TRY(Announce(config, *node));
  signals->BeginServing();
  node->Open();
  SayReady(config, *node);
  const auto grace = config.serving.drain_deadline + kGraceAfterDrain;
  while (signals->Wait(grace) == Signals::Event::kReload) node->ReloadTls();
  Log(Level::kInfo, "draining");
  node->Drain(config.serving.drain_deadline);
  std::filesystem::remove(config.directory.Serving(), ignored);
  node.reset();
  Log(Level::kInfo, "stopped");
  return kExitSuccess;
}

}  // namespace agentca::cli
