// The connection to the signer and the thread that keeps it up.
//
//            spawn or connect          kReady, keys as before
//   kDown ───────────────────► (greeting) ──────────────────► kReady
//     ▲                            │                            │
//     └──── back-off ◄─────────────┴── missed deadline, EOF, ───┘
//                                      bad frame, bad ping
//   kGone: the signer said that a restart does harm, or came back with other keys; for good.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ca/base/file.h"
#include "hsm/child_process.h"
#include "hsm/signer_client.h"
#include "hsm/signer_protocol.h"

namespace agentca::hsm {

// Thread-safe, but for the constructor and destructor.
class SignerLink {
 public:
  explicit SignerLink(SignerClientOptions options);
  ~SignerLink();
  SignerLink(const SignerLink&) = delete;
  SignerLink& operator=(const SignerLink&) = delete;

  Status WaitForStart();
  // Ends the connection and the child, and joins the keeper. Calls fail from then on.
  void Stop();
  Result<Bytes> Sign(std::string_view key_name, ByteView message);
  Result<ca::PublicKey> KeyNamed(std::string_view name) const;
  bool Healthy() const;
  int pid() const;
  uint64_t restarts() const;

 private:
  using Instant = std::chrono::steady_clock::time_point;
  enum class State { kStarting, kReady, kDown, kGone };
  struct Call;

  // The keeper's thread. Each ends with why this signer is to be left, or OK when told to stop.
  void Keep();
  Status RunOnce();
  Status Connect();
  Status ConnectTo(const std::filesystem::path& unix_socket);
  Status AwaitGreeting();
  Status TakeGreeting(const Frame& greeting);
  Status Exchange();
  Result<std::optional<Frame>> ReadFrame();
  void Poll(bool and_write, std::chrono::milliseconds timeout);
  Status PingWhenIdle();
  void Dispatch(Frame frame);
  void Disconnect(const Status& why);
  bool AwaitBackoff();
  Error Broken(std::string why);

  // With mutex_ held.
  void Transmit(ByteView head, ByteView message);
  bool Flush();
  void Wake() const;

  const SignerClientOptions options_;
  const FileDescriptor wake_;  // eventfd: the keeper shall look again

  // The keeper's alone.
  std::unique_ptr<ChildProcess> child_;
  std::optional<FrameReader> reader_;
  std::chrono::milliseconds backoff_;
  Instant last_heard_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable state_changed_;
  State state_ = State::kStarting;
  bool stop_ = false;
  bool broken_ = false;  // a call missed its deadline or the stream tore: kill, do not wait
  std::string last_error_ = "the signer is starting";
  std::vector<NamedKey> keys_;  // set once, by the first signer that is ready
  std::optional<FileDescriptor> socket_;
  Bytes outbox_;  // what the socket did not take at once
  size_t outbox_sent_ = 0;
  uint64_t next_id_ = 1;
  uint64_t ping_id_ = 0;  // 0: none in flight
  Instant ping_sent_;
  std::map<uint64_t, std::shared_ptr<Call>> calls_;
  int pid_ = 0;
  uint64_t times_ready_ = 0;
  std::thread keeper_;  // last: it uses all of the above
};

}  // namespace agentca::hsm
