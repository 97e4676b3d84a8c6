#include <sys/prctl.h>
#include <sys/socket.h>

#include <csignal>

#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "hsm/signer_process.h"

namespace agentca::cli {
namespace {

constexpr int kSocket = 3;  // where hsm::SignerClient puts its end

bool IsSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

// Control-C reaches the whole process group. While serve drains it still needs signatures: a signer
// of its own ends when serve closes the socket, or dies with it.
void LeaveSignalsToServe() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
}

}  // namespace

Result<int> RunSigner(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  SetLogLevel(config.log_level);
  const hsm::SignerOptions options{
      .token = config.signer.token,
      .keys = config.signer.keys,
      .held = config.serving.roles.Keys(),
      .key_usage_log = config.directory.KeyUsageLog(),
      .threads = config.signer.threads,
  };
  if (options.keys.empty())
    return Error{Code::kMalformed, config.directory.Conf().string() + ": no signer-key"};
  ::prctl(PR_SET_NAME, "agentca-signer");
  if (!config.signer.socket.empty()) return hsm::RunSignerOn(options, config.signer.socket);
  if (!IsSocket(kSocket))
    return Error{
        Code::kMalformed,
        "signer: descriptor 3 is no socket; serve starts the signer, or set signer-socket"};
  LeaveSignalsToServe();
  return hsm::RunSigner(options, kSocket);
}

}  // namespace agentca::cli
