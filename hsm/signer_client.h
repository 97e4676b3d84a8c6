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

// Thread-safe; many signatures are in flight at once on one socket. A signature that misses its
// deadline kills (SIGKILL) and restarts the child; every call in flight then fails with
// kUnavailable, as do calls until the child is ready again. An idle child is pinged
// (C_GetSessionInfo behind it) each second, so that Healthy() tells the truth.
class SignerClient final : public ca::KeyProvider {
 public:
  // Returns when the child is ready, or kUnavailable with what it said last.
  static Result<std::unique_ptr<SignerClient>> Start(SignerClientOptions options);
  ~SignerClient() override;  // ends the child (close, then SIGKILL after 1 s) and reaps it
  Result<std::unique_ptr<ca::Signer>> Open(std::string_view key_name) override;
  bool Healthy() const override;
  int pid() const;  // of the child now; 0 when none (tests, status)
  uint64_t restarts() const;

 private:
  class Link;
  explicit SignerClient(std::shared_ptr<Link> link);
  std::shared_ptr<Link> link_;  // shared with the Signers it opened
};

}  // namespace agentca::hsm
