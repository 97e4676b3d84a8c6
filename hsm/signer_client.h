// serve's side of the signer process: starts it, talks to it, kills it when it hangs, starts it
// again. Signers it opens stay usable across restarts.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ca/signer.h"

namespace agentca::hsm {

struct SignerClientOptions {
  // argv of the child; the socket is its descriptor 3. Empty: connect to `unix_socket` instead.
  std::vector<std::string> command;
  std::filesystem::path unix_socket;
  std::chrono::milliseconds deadline{5000};         // per signature
  std::chrono::milliseconds start_deadline{20000};  // from start to ready
  std::chrono::milliseconds max_backoff{5000};      // between restarts; starts at 100 ms, doubles
};

class SignerLink;

// Thread-safe; many signatures are in flight at once on one socket. A signature that misses its
// deadline kills (SIGKILL) and restarts the child; every call in flight then fails with
// kUnavailable, as do calls until the child is ready again. An idle child is pinged each second
// (its token is looked at), so that Healthy() tells the truth. Over `unix_socket` nothing is
// killed: the connection is dropped and made again, and the signer's own watchdog and service
// manager do the rest. A signer that comes back with other keys, or says that a restart does harm
// (a refused PIN), is not used again: the log says why and Healthy() stays false.
class SignerClient final : public ca::KeyProvider {
 public:
  // Returns when the signer is ready, or kUnavailable with what it said. A child that cannot start
  // is not started again by this call; a Unix socket is waited for until start_deadline.
  static Result<std::unique_ptr<SignerClient>> Start(SignerClientOptions options);
  ~SignerClient() override;  // ends the child (close, then SIGKILL after 1 s) and reaps it
  // kNotFound: no key of that name.
  Result<std::unique_ptr<ca::Signer>> Open(std::string_view key_name) override;
  bool Healthy() const override;
  int pid() const;  // of the child now; 0 when none (tests, status)
  uint64_t restarts() const;

 private:
  explicit SignerClient(std::shared_ptr<SignerLink> link);
  const std::shared_ptr<SignerLink> link_;  // shared with the Signers it opened
};

}  // namespace agentca::hsm
