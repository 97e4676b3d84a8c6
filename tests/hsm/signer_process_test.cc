// The signer process as a stranger with its socket sees it.
#include "hsm/signer_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "ca/audit.h"
#include "ca/signed_object.h"
#include "hsm/child_process.h"
#include "hsm/softkey.h"
#include "tests/fakes/command.h"
#include "tests/fakes/test_signer.h"
#include "tests/hsm/signer_world.h"

namespace agentca::hsm {
namespace {

class SignerProcess : public testing::Test {
 protected:
  // Starts the signer; its greeting.
  Frame Start(const std::vector<KeyEntry>& keys) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket_ = std::make_unique<FileDescriptor>(ends[0]);
    const FileDescriptor theirs(ends[1]);
    child_ = ChildProcess::Spawn(world_.Command(keys), theirs.get()).value();
    return Receive();
  }
  void Send(ByteView octets) {
    ASSERT_EQ(send(socket_->get(), octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }
  Frame Receive() {  // an empty frame of kind 255 when the signer hung up
    FrameReader reader(kMaxReply);
    for (;;) {
      const auto space = reader.Space();
      const ssize_t count = recv(socket_->get(), space.data(), space.size(), 0);
      if (count <= 0) return {0, 255, {}};
      const auto complete = reader.Advance(static_cast<size_t>(count));
      EXPECT_TRUE(complete.ok());
      if (!complete.ok()) return {0, 255, {}};
      if (*complete) return reader.Take();
    }
  }
  Frame Sign(const std::string& key, const Bytes& message) {
    Bytes body = EncodeSignPrefix(key);
    body.insert(body.end(), message.begin(), message.end());
    Send(EncodeFrame(42, static_cast<uint8_t>(Operation::kSign), body));
    const Frame reply = Receive();
    EXPECT_EQ(reply.id, 42u);
    return reply;
  }
  static ReplyStatus StatusOf(const Frame& frame) { return static_cast<ReplyStatus>(frame.kind); }
  static std::string TextOf(const Frame& frame) { return std::string(AsText(frame.body)); }
  // How the signer ends once the socket closes.
  std::string Finish() {
    socket_.reset();
    return child_->End(std::chrono::seconds(10));
  }

  testdata::SignerWorld world_;
  std::unique_ptr<FileDescriptor> socket_;
  std::unique_ptr<ChildProcess> child_;
};

TEST_F(SignerProcess, GreetsWithItsKeysSignsAndEndsWithItsSocket) {
  const Frame greeting = Start(world_.Keys());
  ASSERT_EQ(StatusOf(greeting), ReplyStatus::kReady) << TextOf(greeting);
  const auto keys = ParseKeys(greeting.body).value();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].name, "issuing");
  const Bytes message = world_.Certificate(1);
  const Frame reply = Sign("issuing", message);
  ASSERT_EQ(StatusOf(reply), ReplyStatus::kOk) << TextOf(reply);
  EXPECT_TRUE(keys[0].public_key.Verify(ca::SignatureAlgorithm::kEcdsaSha256, message, reply.body));
  Send(EncodeFrame(43, static_cast<uint8_t>(Operation::kPing), {}));
  const Frame pong = Receive();
  EXPECT_EQ(pong.id, 43u);
  EXPECT_EQ(StatusOf(pong), ReplyStatus::kOk);
  EXPECT_EQ(Finish(), "exit code 0");
}

TEST_F(SignerProcess, RefusesEveryUseThatIsNotOfThePurposeAndLogsNone) {
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  const Bytes certificate = world_.Certificate(1);
  Bytes trailing = certificate;
  trailing.push_back(0);
  const ca::PublicKey key = fakes::NewPublicKey();
  testdata::CertificateDraft sub_ca{.key = key};
  sub_ca.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
  testdata::CertificateDraft foreign{.key = key};
  foreign.issuer = "Other CA";
  testdata::CertificateDraft delegate{.key = key};
  delegate.extensions = {{"extendedKeyUsage", "OCSPSigning"}};
  const std::vector<std::pair<std::string, Bytes>> uses = {
      {"ocsp", certificate},
      {"ocsp", world_.Crl()},
      {"issuing", world_.Ocsp()},
      {"issuing", trailing},
      {"issuing", sub_ca.ToTbs()},
      {"issuing", foreign.ToTbs()},
      {"issuing", delegate.ToTbs()},
      {"issuing", ToBytes(AsBytes("garbage"))},
      {"issuing", {}},
      {"root", certificate},
  };
  for (const auto& [name, message] : uses) {
    const Frame reply = Sign(name, message);
    EXPECT_EQ(StatusOf(reply), ReplyStatus::kRefused) << name << " signed " << ToHex(message);
    EXPECT_EQ(world_.TimesLogged(message), 0);
  }
  EXPECT_EQ(StatusOf(Sign("issuing", certificate)), ReplyStatus::kOk) << "it is of no use any more";
}

TEST_F(SignerProcess, DropsAPeerThatDoesNotSpeakTheProtocol) {
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  Send(Bytes(13, 0xff));
  EXPECT_EQ(Receive().kind, 255);
  EXPECT_EQ(Finish(), "exit code 0");
}

TEST_F(SignerProcess, RefusesOperationsItDoesNotKnow) {
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  Send(EncodeFrame(1, 99, AsBytes("?")));
  EXPECT_EQ(StatusOf(Receive()), ReplyStatus::kRefused);
  Send(EncodeFrame(2, static_cast<uint8_t>(Operation::kSign), {}));
  EXPECT_EQ(StatusOf(Receive()), ReplyStatus::kRefused);
}

TEST_F(SignerProcess, EverySignatureIsInTheKeyUsageLogBeforeItIsOut) {
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  constexpr int kSignatures = 20;
  for (int i = 0; i < kSignatures; ++i) {
    ASSERT_EQ(StatusOf(Sign("issuing", world_.Certificate(i))), ReplyStatus::kOk);
    EXPECT_EQ(world_.TimesLogged(world_.Certificate(i)), 1);
  }
  ASSERT_EQ(StatusOf(Sign("issuing", world_.Crl())), ReplyStatus::kOk);
  ASSERT_EQ(StatusOf(Sign("ocsp", world_.Ocsp())), ReplyStatus::kOk);
  EXPECT_EQ(world_.TimesLogged(world_.Crl()), 1);
  EXPECT_EQ(world_.TimesLogged(world_.Ocsp()), 1);
  const auto verdict = ca::ChainedLog::Verify(world_.Log());
  ASSERT_TRUE(verdict.ok()) << verdict.error().detail;
  EXPECT_EQ(verdict->lines, kSignatures + 2u);
}

TEST_F(SignerProcess, SignsNothingWithoutItsLog) {
  // A log that another process holds.
  const auto held = ca::ChainedLog::Open(world_.Log()).value();
  EXPECT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kCannotStart);
  EXPECT_EQ(Finish(), "exit code " + std::to_string(kExitCannotStart));
}

TEST_F(SignerProcess, DoesNotStartWithAKeyThatItsCertificateDoesNotName) {
  auto keys = world_.Keys();
  std::swap(keys[0].uri, keys[1].uri);
  const Frame greeting = Start(keys);
  EXPECT_EQ(StatusOf(greeting), ReplyStatus::kGivenUp);
  EXPECT_NE(TextOf(greeting).find("not the one that its certificate"), std::string::npos)
      << TextOf(greeting);
  EXPECT_EQ(Finish(), "exit code " + std::to_string(kExitGivenUp));
}

TEST_F(SignerProcess, DoesNotStartWithTwoKeysOfOneName) {
  auto keys = world_.Keys();
  keys[1].name = keys[0].name;
  EXPECT_EQ(StatusOf(Start(keys)), ReplyStatus::kGivenUp);
}

TEST_F(SignerProcess, DoesNotSignAsACaWithAnEndEntitysCertificate) {
  auto keys = world_.Keys();
  keys[1].purposes = {Purpose::kCertificate};
  const Frame greeting = Start(keys);
  EXPECT_EQ(StatusOf(greeting), ReplyStatus::kGivenUp);
  EXPECT_NE(TextOf(greeting).find("no CA certificate"), std::string::npos) << TextOf(greeting);
}

TEST_F(SignerProcess, DoesNotStartWithAnExtractableKey) {
  world_.Pkcs11Tool(
      "--keypairgen --key-type EC:prime256v1 --label loose --id 7702 --extractable --usage-sign");
  auto keys = world_.Keys();
  keys[0].uri = "pkcs11:object=loose";
  const Frame greeting = Start(keys);
  EXPECT_EQ(StatusOf(greeting), ReplyStatus::kGivenUp);
  EXPECT_NE(TextOf(greeting).find("extractable"), std::string::npos) << TextOf(greeting);
}

TEST_F(SignerProcess, GivesUpOnARefusedPinSoThatTheTokenDoesNotLock) {
  std::ofstream(world_.token().pin_file) << "000000\n";
  const Frame greeting = Start(world_.Keys());
  EXPECT_EQ(StatusOf(greeting), ReplyStatus::kGivenUp);
  EXPECT_NE(TextOf(greeting).find("CKR_PIN_INCORRECT"), std::string::npos) << TextOf(greeting);
}

TEST_F(SignerProcess, LeavesNoCoreAndLetsNobodyTraceIt) {
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  const std::string proc = "/proc/" + std::to_string(child_->pid());
  const auto limits = fakes::RunCommand("grep 'core file size' " + proc + "/limits");
  EXPECT_NE(limits.output.find("0                    0"), std::string::npos) << limits.output;
  const auto privileges = fakes::RunCommand("grep NoNewPrivs " + proc + "/status");
  EXPECT_NE(privileges.output.find("1"), std::string::npos) << privileges.output;
}

TEST_F(SignerProcess, HasNoDescriptorOfItsParent) {
  const std::string secret = world_.File("secret").string();
  std::ofstream(secret) << "x";
  const int inherited = open(secret.c_str(), O_RDONLY);  // without O_CLOEXEC
  ASSERT_GE(inherited, 0);
  ASSERT_EQ(StatusOf(Start(world_.Keys())), ReplyStatus::kReady);
  const auto files =
      fakes::RunCommand("ls -l /proc/" + std::to_string(child_->pid()) + "/fd").output;
  EXPECT_EQ(files.find(secret), std::string::npos) << files;
  close(inherited);
}

TEST_F(SignerProcess, ServesKeysInFilesForDevelopment) {
  const auto pem = world_.File("soft.pem");
  ASSERT_TRUE(WriteSoftKey(CaKeyType::kP256, pem).ok());
  const auto signer = OpenSoftKey(pem).value();
  testdata::CertificateDraft ca{.key = signer->public_key()};
  ca.subject = "Test CA";
  ca.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
  const auto certificate = world_.File("soft-ca.pem");
  std::ofstream(certificate) << ToPem("CERTIFICATE", ca::MakeSigned(ca.ToTbs(), *signer).value());
  const KeyEntry entry{"soft", {Purpose::kCertificate}, "file:" + pem.string(), certificate};
  ASSERT_EQ(StatusOf(Start({entry})), ReplyStatus::kReady);
  EXPECT_EQ(StatusOf(Sign("soft", world_.Certificate(3))), ReplyStatus::kOk);
}

}  // namespace
}  // namespace agentca::hsm
