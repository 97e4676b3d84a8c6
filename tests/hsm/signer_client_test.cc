// The client against a real signer process that is killed, stopped and robbed of its token.
#include "hsm/signer_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "ca/audit.h"
#include "ca/signed_object.h"
#include "hsm/child_process.h"
#include "hsm/softkey.h"
#include "tests/fakes/eventually.h"
#include "tests/hsm/signer_world.h"

namespace agentca::hsm {
namespace {

using fakes::Eventually;
using std::chrono::milliseconds;

class SignerClientTest : public testing::Test {
 protected:
  void Start(SignerClientOptions options) {
    auto client = SignerClient::Start(std::move(options));
    ASSERT_TRUE(client.ok()) << client.error().detail;
    client_ = *std::move(client);
    signer_ = client_->Open("issuing").value();
  }
  // Never kill(0, …): that is the test's own process group.
  int Signal(int signal) {
    const int pid = client_->pid();
    EXPECT_GT(pid, 0);
    if (pid > 0) kill(pid, signal);
    return pid;
  }
  bool Signs(int i) { return signer_->Sign(world_.Certificate(i)).ok(); }

  testdata::SignerWorld world_;
  std::unique_ptr<SignerClient> client_;
  std::unique_ptr<ca::Signer> signer_;
};

TEST_F(SignerClientTest, OpensTheKeysTheSignerHas) {
  Start(world_.ClientOptions());
  EXPECT_TRUE(client_->Healthy());
  EXPECT_GT(client_->pid(), 0);
  EXPECT_EQ(client_->restarts(), 0u);
  EXPECT_EQ(client_->Open("ocsp").value()->public_key(), world_.ocsp_key());
  EXPECT_EQ(client_->Open("root").error().code, Code::kNotFound);
  EXPECT_TRUE(Signs(1));
}

TEST_F(SignerClientTest, RefusalIsInternalAndLeavesTheSignerUp) {
  Start(world_.ClientOptions());
  const auto refused = signer_->Sign(world_.Ocsp());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInternal);
  EXPECT_TRUE(client_->Healthy());
  EXPECT_TRUE(Signs(1));
  EXPECT_EQ(client_->restarts(), 0u);
}

TEST_F(SignerClientTest, CarriesACrlOfManyMegabytes) {
  auto options = world_.ClientOptions();
  options.deadline = std::chrono::seconds(60);  // this is about size; sanitizers are slow
  Start(options);
  testdata::CrlDraft draft;
  draft.entries = 300'000;
  const Bytes crl = draft.ToTbs();
  ASSERT_GT(crl.size(), size_t{8} << 20);
  const auto signature = signer_->Sign(crl);
  ASSERT_TRUE(signature.ok()) << signature.error().detail;
  EXPECT_TRUE(signer_->public_key().Verify(signer_->algorithm(), crl, *signature));
}

TEST_F(SignerClientTest, KilledSignerFailsItsCallsAndServiceResumesByItself) {
  Start(world_.ClientOptions());
  std::atomic<bool> stop{false};
  std::atomic<int> signed_count{0};
  std::atomic<int> other_errors{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const auto signature = signer_->Sign(world_.Certificate(t * 100'000 + i));
        if (signature.ok()) {
          ++signed_count;
        } else if (signature.error().code != Code::kUnavailable) {
          ++other_errors;
        }
      }
    });
  }
  constexpr uint64_t kKills = 3;
  for (uint64_t i = 0; i < kKills; ++i) {
    const int before = signed_count;
    EXPECT_TRUE(Eventually([&] { return signed_count > before + 20; }));
    Signal(SIGKILL);
    EXPECT_TRUE(Eventually([&] { return client_->restarts() > i && client_->Healthy(); }));
  }
  const int before = signed_count;
  EXPECT_TRUE(Eventually([&] { return signed_count > before + 20; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(other_errors, 0);
  const auto verdict = ca::ChainedLog::Verify(world_.Log());
  ASSERT_TRUE(verdict.ok()) << verdict.error().detail;
  EXPECT_GE(verdict->lines, static_cast<uint64_t>(signed_count)) << "a signature nobody wrote down";
}

TEST_F(SignerClientTest, HangingSignerMissesTheDeadlineAndIsReplaced) {
  auto options = world_.ClientOptions();
  options.deadline = milliseconds(500);
  Start(options);
  const int first = Signal(SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const auto signature = signer_->Sign(world_.Certificate(1));
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().code, Code::kUnavailable);
  EXPECT_GE(std::chrono::steady_clock::now() - start, options.deadline);
  EXPECT_FALSE(client_->Healthy());
  EXPECT_TRUE(Eventually([&] { return client_->Healthy(); }));
  EXPECT_NE(client_->pid(), first);
  EXPECT_TRUE(Signs(2));
}

TEST_F(SignerClientTest, HangingSignerTakesEveryCallInFlightWithIt) {
  auto options = world_.ClientOptions();
  options.deadline = milliseconds(500);
  Start(options);
  Signal(SIGSTOP);
  testdata::CrlDraft large;  // more than the socket's buffer takes
  large.entries = 100'000;
  const Bytes crl = large.ToTbs();
  std::atomic<int> unavailable{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto signature = signer_->Sign(crl);
      if (!signature.ok() && signature.error().code == Code::kUnavailable) ++unavailable;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(unavailable, 8);
  EXPECT_TRUE(Eventually([&] { return Signs(1); }));
}

TEST_F(SignerClientTest, IdleSignerThatHangsIsFoundByItsPing) {
  auto options = world_.ClientOptions();
  options.deadline = milliseconds(500);
  Start(options);
  const int first = Signal(SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return client_->restarts() == 1; }));
  EXPECT_NE(client_->pid(), first);
  EXPECT_TRUE(Signs(1));
}

TEST_F(SignerClientTest, TokenThatVanishesIsNoticedAndServiceResumesWhenItIsBack) {
  auto options = world_.ClientOptions();
  options.max_backoff = milliseconds(200);
  Start(options);
  ASSERT_TRUE(Signs(1));
  std::filesystem::rename(world_.File("token/tokens"), world_.File("token/away"));
  EXPECT_TRUE(Eventually([&] { return !client_->Healthy(); })) << "nobody noticed";
  const auto signature = signer_->Sign(world_.Certificate(2));
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().code, Code::kUnavailable);
  std::filesystem::rename(world_.File("token/away"), world_.File("token/tokens"));
  EXPECT_TRUE(Eventually([&] { return client_->Healthy(); }));
  EXPECT_TRUE(Signs(3));
}

TEST_F(SignerClientTest, RefusedPinIsNotTriedAgain) {
  Start(world_.ClientOptions());
  const auto pin = world_.token().pin_file;
  std::filesystem::rename(pin, world_.File("pin.good"));
  std::ofstream(pin) << "000000\n";
  std::filesystem::permissions(pin, std::filesystem::perms::owner_read);
  Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    const auto signature = signer_->Sign(world_.Certificate(1));
    return !signature.ok() &&
           signature.error().detail.find("CKR_PIN_INCORRECT") != std::string::npos;
  }));
  EXPECT_FALSE(client_->Healthy());
  // Even the right PIN does not bring it back by itself: nobody tries.
  std::filesystem::rename(world_.File("pin.good"), pin);
  EXPECT_TRUE(Eventually([&] { return client_->pid() == 0; }));
  EXPECT_FALSE(client_->Healthy());
  EXPECT_EQ(client_->restarts(), 0u);
}

// A key in a file, and a CA certificate for it.
KeyEntry WriteSoftCa(const testdata::SignerWorld& world) {
  const auto pem = world.File("soft.pem");
  const auto certificate = world.File("soft-ca.pem");
  std::filesystem::remove(pem);
  EXPECT_TRUE(WriteSoftKey(CaKeyType::kP256, pem).ok());
  const auto signer = OpenSoftKey(pem).value();
  testdata::CertificateDraft ca{.key = signer->public_key()};
  ca.subject = "Test CA";
  ca.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
  std::ofstream(certificate) << ToPem("CERTIFICATE", ca::MakeSigned(ca.ToTbs(), *signer).value());
  return {"issuing", {Purpose::kCertificate}, "file:" + pem.string(), certificate};
}

TEST_F(SignerClientTest, SignerThatComesBackWithOtherKeysIsNotUsed) {
  SignerClientOptions options;
  options.command = world_.Command({WriteSoftCa(world_)});
  Start(options);
  ASSERT_TRUE(Signs(1));
  WriteSoftCa(world_);
  Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    const auto signature = signer_->Sign(world_.Certificate(2));
    return !signature.ok() && signature.error().detail.find("other keys") != std::string::npos;
  }));
  EXPECT_FALSE(client_->Healthy());
  EXPECT_EQ(client_->restarts(), 0u);
}

TEST_F(SignerClientTest, SignerThatCannotStartSaysWhy) {
  auto options = world_.ClientOptions();
  std::filesystem::remove(world_.token().pin_file);
  const auto client = SignerClient::Start(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Code::kUnavailable);
  EXPECT_NE(client.error().detail.find("PIN file"), std::string::npos) << client.error().detail;
}

TEST_F(SignerClientTest, CommandsThatAreNoSignerAreUnavailable) {
  SignerClientOptions options;
  options.command = {"/nonexistent/agentca", "signer"};
  EXPECT_EQ(SignerClient::Start(options).error().code, Code::kUnavailable);
  options.command = {"/bin/true"};
  EXPECT_EQ(SignerClient::Start(options).error().code, Code::kUnavailable);
  options.command = {"/bin/sh", "-c", "echo this is not the protocol >&3"};
  EXPECT_EQ(SignerClient::Start(options).error().code, Code::kUnavailable);
  options.command = {"/bin/sh", "-c", "exec sleep 60"};
  options.start_deadline = milliseconds(200);
  const auto silent = SignerClient::Start(options);
  ASSERT_FALSE(silent.ok());
  EXPECT_NE(silent.error().detail.find("not ready in time"), std::string::npos);
}

TEST_F(SignerClientTest, LeavesNoZombieAndNoChild) {
  Start(world_.ClientOptions());
  const int pid = client_->pid();
  client_.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  const auto late = signer_->Sign(world_.Certificate(1));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kUnavailable);
}

class UnixSocketTest : public SignerClientTest {
 protected:
  void Listen() {
    const FileDescriptor none(open("/dev/null", O_RDONLY | O_CLOEXEC));
    daemon_ = ChildProcess::Spawn(world_.Command(world_.Keys(), Socket()), none.get()).value();
  }
  std::string Socket() const { return world_.File("signer.sock").string(); }
  SignerClientOptions Options() const {
    SignerClientOptions options;
    options.unix_socket = Socket();
    options.max_backoff = milliseconds(200);
    return options;
  }
  std::unique_ptr<ChildProcess> daemon_;
};

TEST_F(UnixSocketTest, WaitsForTheSignerAndReconnectsToTheNextOne) {
  Listen();
  Start(Options());
  EXPECT_EQ(client_->pid(), 0) << "it is not ours to kill";
  EXPECT_TRUE(Signs(1));
  kill(daemon_->pid(), SIGKILL);
  daemon_->End(std::chrono::seconds(10));
  EXPECT_TRUE(Eventually([&] { return !client_->Healthy(); }));
  EXPECT_FALSE(Signs(2));
  Listen();  // over the socket file the first one left behind
  EXPECT_TRUE(Eventually([&] { return client_->Healthy(); }));
  EXPECT_TRUE(Signs(3));
}

TEST_F(UnixSocketTest, ServesOneConnectionAfterTheOther) {
  Listen();
  for (int i = 0; i < 3; ++i) {
    Start(Options());
    EXPECT_TRUE(Signs(i));
    client_.reset();
  }
}

TEST_F(UnixSocketTest, SignerThatNeverComesIsUnavailable) {
  auto options = Options();
  options.start_deadline = milliseconds(300);
  const auto client = SignerClient::Start(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Code::kUnavailable);
  EXPECT_NE(client.error().detail.find("no signer at"), std::string::npos);
}

}  // namespace
}  // namespace agentca::hsm
