// `agentca signer`: the only process that loads a PKCS#11 module and knows the PIN.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "hsm/pkcs11.h"
#include "hsm/signer_protocol.h"

namespace agentca::hsm {

struct SignerOptions {
  TokenOptions token;  // not used when every key is in a file (development)
  std::vector<KeyEntry> keys;
  // Names of the keys of `keys` that this signer holds; empty: of all. It does not open the others,
  // nor tell of them, and signs nothing with them. Their certificates may be missing.
  std::vector<std::string> held = {};
  std::filesystem::path
      key_usage_log;  // ChainedLog; one line per use, on disk before the key is used
  int threads = 4;
  // An operation that takes longer hangs for good (libp11 with a lost HSM): the process ends
  // itself.
  std::chrono::milliseconds hang_limit{10000};
};

// Exit codes, for a service manager. After kExitGivenUp a restart does harm: a refused PIN counts
// against the token's retry counter, and a key that is not as it must be needs a person.
inline constexpr int kExitCannotStart = 1;
inline constexpr int kExitTokenFailed = 2;
inline constexpr int kExitGivenUp = 78;  // EX_CONFIG

// Serves one connected stream socket until it closes; returns the exit code. Ends with the thread
// that started it, if that is its parent's (PR_SET_PDEATHSIG). Disables core dumps and ptrace
// first. Checks every key before it says it is ready: found, as it must be (KeyReport), and the one
// its certificate names. Each use: tell from the bytes what they are and refuse what is not of a
// purpose of the key (JudgeUse); append {key, purpose, object, sha256 of the bytes} to the
// key-usage log; sign; reply. A signature that fails ends the process after the reply: libp11 needs
// a new start.
int RunSigner(const SignerOptions& options, int socket);
// The same for a listening Unix socket (systemd), mode 0660: one connection at a time.
int RunSignerOn(const SignerOptions& options, const std::filesystem::path& unix_socket);

}  // namespace agentca::hsm
