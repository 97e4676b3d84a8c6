// `agentca signer`: the only process that loads a PKCS#11 module and knows the PIN.
#pragma once

#include <filesystem>
#include <vector>

#include "hsm/pkcs11.h"
#include "hsm/signer_protocol.h"

namespace agentca::hsm {

struct SignerOptions {
  TokenOptions token;
  std::vector<KeyEntry> keys;
  std::filesystem::path
      key_usage_log;  // ChainedLog; one line per use, on disk before the signature leaves
  int threads = 4;
};

// Serves one connected stream socket until it closes; returns the exit code. Disables core dumps
// and ptrace first. Checks every key before it says it is ready: found, as it must be (KeyReport),
// and the one its certificate names. Each use: parse the bytes as what the purpose says (OpenSSL),
// check issuer name, refuse the rest; append {key, purpose, serial or number, sha256 of the bytes}
// to the key-usage log; sign; reply.
int RunSigner(const SignerOptions& options, int socket);
// The same for a listening Unix socket (systemd): one connection at a time.
int RunSignerOn(const SignerOptions& options, const std::filesystem::path& unix_socket);

// The check alone: what would this key be used for? kUnauthorized says why not. Pure.
struct Use {
  Purpose purpose;
  std::string object;  // serial hex, CRL number, or responder id
};
Result<Use> JudgeUse(ByteView message, const std::vector<Purpose>& allowed, ByteView ca_subject,
                     const ca::PublicKey& key);

}  // namespace agentca::hsm
