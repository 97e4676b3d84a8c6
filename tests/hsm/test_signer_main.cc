// `agentca signer` without its command line:
//   hsm_test_signer SOCKET MODULE LABEL SERIAL PIN-FILE SOFTHSM2-CONF LOG HANG-LIMIT-MS KEY-LINE…
// SOCKET is a descriptor's number or the path of a Unix socket to listen on.
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "hsm/signer_process.h"

int main(int argc, char** argv) {
  using agentca::hsm::KeyEntry;
  if (argc < 10) return 64;
  agentca::hsm::SignerOptions options{
      .token = {argv[2], argv[3], argv[4], argv[5], argv[6]},
      .keys = {},
      .key_usage_log = argv[7],
      .threads = 4,
      .hang_limit = std::chrono::milliseconds(std::atoi(argv[8])),
  };
  for (int i = 9; i < argc; ++i) {
    auto entry = KeyEntry::Parse(argv[i]);
    if (!entry.ok()) {
      std::cerr << entry.error().detail << "\n";
      return 64;
    }
    options.keys.push_back(*std::move(entry));
  }
  if (std::strchr(argv[1], '/') != nullptr) return RunSignerOn(options, argv[1]);
  return RunSigner(options, std::atoi(argv[1]));
}
