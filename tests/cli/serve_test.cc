// `agentca serve` as a process: start, signals, status, and what operators do beside it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <regex>

#include "acme/cli/files.h"
#include "tests/cli/program.h"
#include "tests/fakes/eventually.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;
using fakes::Eventually;
using fakes::RunCommand;

// A child that runs `agentca serve` on free ports until it is told to stop.
class Server {
 public:
  Server(const fs::path& directory, const fs::path& log, std::vector<std::string> more = {})
      : log_(log) {
    std::vector<std::string> arguments = {AGENTCA_TEST_PROGRAM, "serve",         "--dir",
                                          directory.string(),   "--acme-listen", "127.0.0.1:0",
                                          "--http-listen",      "127.0.0.1:0",
                                          "--admin-listen",     "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    pid_ = ::fork();
    if (pid_ != 0) return;
    if (::freopen(log.c_str(), "w", stdout) == nullptr) ::_exit(127);
    ::dup2(STDOUT_FILENO, STDERR_FILENO);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~Server() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  // Waits for the line that announces both URLs.
  bool Ready() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::smatch match;
    std::string text;
    const std::regex line("ready: directory (\\S+) http (\\S+)");
    while (std::chrono::steady_clock::now() < end && !Ended()) {
      text = Log();
      if (std::regex_search(text, match, line)) {
        directory_url = match[1];
        http_url = match[2];
        return true;
      }
      ::usleep(20'000);
    }
    return false;
  }
  std::string Log() const { return std::string(AsText(fakes::ReadWholeFile(log_))); }
  void Signal(int signal) const { ::kill(pid_, signal); }
  // The exit status; −1 when a signal ended it or it did not end.
  int Wait() {
    int status = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      }
      ::usleep(20'000);
    }
    return -1;
  }
  std::string directory_url, http_url;

 private:
  bool Ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }
  fs::path log_;
  pid_t pid_ = 0;
};

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto init = Init(ca_, "--dns-name ca.example.test");
    ASSERT_EQ(init.exit_code, 0) << init.output;
  }
  std::string Curl(const std::string& url) const {
    return RunCommand("curl --silent --noproxy '*' --max-time 10 --cacert '" +
                      (ca_ / "ca/root.pem").string() + "' " + url)
        .output;
  }
  std::string Local(const std::string& directory_url) const {
    return std::regex_replace(directory_url, std::regex("ca\\.example\\.test"), "localhost");
  }
  std::string TlsSerial() const {
    auto serial = RunCommand("openssl x509 -noout -serial -in " + (ca_ / "tls/chain.pem").string())
                      .output.substr(7);
    serial.pop_back();
    for (char& c : serial) c = static_cast<char>(std::tolower(c));
    return serial;
  }
  std::string OcspOf(const std::string& serial, const std::string& http_url) const {
    return RunCommand("openssl ocsp -issuer " + (ca_ / "ca/issuing.pem").string() + " -CAfile " +
                      (ca_ / "ca/root.pem").string() + " -serial 0x" + serial + " -url " +
                      http_url + "/ocsp")
        .output;
  }
  fs::path LogFile() const { return directory_ / "serve.log"; }

  fakes::TemporaryDirectory directory_;
  const fs::path ca_ = directory_ / "ca";
};

TEST_F(ServeTest, AnswersOnBothServersAndDrainsOnSigterm) {
  Server server(ca_, LogFile());
  ASSERT_TRUE(server.Ready()) << server.Log();
  EXPECT_TRUE(server.directory_url.starts_with("https://ca.example.test:"));
  const std::string directory = Curl(Local(server.directory_url));
  EXPECT_NE(directory.find("newOrder"), std::string::npos) << directory << server.Log();
  EXPECT_NE(Curl(server.http_url + "/root.pem").find("BEGIN CERTIFICATE"), std::string::npos);
  const auto code = RunCommand("curl --silent --noproxy '*' -o /dev/null -w '%{http_code}' " +
                               server.http_url + "/readyz");
  EXPECT_EQ(code.output, "200");
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.Log();
  EXPECT_FALSE(fs::exists(ca_ / "serving.json"));
}

TEST_F(ServeTest, OnlyOneServesADirectory) {
  Server first(ca_, LogFile());
  ASSERT_TRUE(first.Ready()) << first.Log();
  Server second(ca_, directory_ / "second.log");
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_NE(second.Log().find("another agentca serve runs"), std::string::npos) << second.Log();
}

TEST_F(ServeTest, SighupReadsTheTlsCertificateAgain) {
  Server server(ca_, LogFile());
  ASSERT_TRUE(server.Ready()) << server.Log();
  server.Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] {
    return server.Log().find("reloaded the TLS certificate") != std::string::npos;
  })) << server.Log();
  // A chain that is not there leaves the old identity in place.
  fs::rename(ca_ / "tls/chain.pem", ca_ / "tls/away.pem");
  server.Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] {
    return server.Log().find("cannot reload the TLS certificate") != std::string::npos;
  })) << server.Log();
  EXPECT_NE(Curl(Local(server.directory_url)).find("newOrder"), std::string::npos);
}

TEST_F(ServeTest, StatusTellsARunningServerFromNone) {
  const std::string status = "status --dir " + ca_.string();
  const auto before = Agentca(status);
  EXPECT_EQ(before.exit_code, 1);
  EXPECT_NE(before.output.find("Not well: the server does not run"), std::string::npos)
      << before.output;
  Server server(ca_, LogFile());
  ASSERT_TRUE(server.Ready()) << server.Log();
  const auto words = Agentca(status);
  EXPECT_EQ(words.exit_code, 0) << words.output;
  EXPECT_NE(words.output.find(server.directory_url), std::string::npos) << words.output;
  const auto json = Agentca(status + " --json");
  EXPECT_NE(json.output.find("\"healthy\":true"), std::string::npos) << json.output;
}

TEST_F(ServeTest, LearnsOfARevocationByTheOperatorWithinASecond) {
  Server server(ca_, LogFile());
  ASSERT_TRUE(server.Ready()) << server.Log();
  const std::string serial = TlsSerial();
  ASSERT_NE(OcspOf(serial, server.http_url).find(": good"), std::string::npos)
      << OcspOf(serial, server.http_url) << server.Log();
  const auto revoked =
      Agentca("cert revoke " + serial + " --reason superseded --dir " + ca_.string());
  ASSERT_EQ(revoked.exit_code, 0) << revoked.output;
  EXPECT_NE(revoked.output.find("within a second"), std::string::npos) << revoked.output;
  EXPECT_TRUE(Eventually([&] {
    return OcspOf(serial, server.http_url).find(": revoked") != std::string::npos;
  })) << server.Log();
  const auto again = Agentca("cert revoke " + serial + " --dir " + ca_.string());
  EXPECT_EQ(again.exit_code, 1) << again.output;
  const auto shown = Agentca("cert show " + serial + " --dir " + ca_.string());
  EXPECT_NE(shown.output.find("superseded"), std::string::npos) << shown.output;
  EXPECT_NE(shown.output.find("BEGIN CERTIFICATE"), std::string::npos) << shown.output;
  const auto audit = Agentca("audit verify --dir " + ca_.string());
  EXPECT_EQ(audit.exit_code, 0) << audit.output;
  EXPECT_NE(audit.output.find("audit-cli.log"), std::string::npos) << audit.output;
}

TEST_F(ServeTest, DoesNotStartWithADamagedDelegateCertificate) {
  // The signer pins it: a damaged one is the operator's to restore.
  std::ofstream(ca_ / "ca/ocsp.pem") << "damaged";
  Server server(ca_, LogFile());
  EXPECT_FALSE(server.Ready());
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_NE(server.Log().find("ocsp.pem"), std::string::npos) << server.Log();
}

TEST_F(ServeTest, IssuesItsTlsCertificateAnewWhenItIsRevoked) {
  const std::string old_serial = TlsSerial();
  ASSERT_EQ(Agentca("cert revoke " + old_serial + " --dir " + ca_.string()).exit_code, 0);
  Server server(ca_, LogFile());
  ASSERT_TRUE(server.Ready()) << server.Log();
  EXPECT_NE(TlsSerial(), old_serial);
  EXPECT_NE(Curl(Local(server.directory_url)).find("newOrder"), std::string::npos);
  EXPECT_NE(OcspOf(old_serial, server.http_url).find(": revoked"), std::string::npos);
}

TEST_F(ServeTest, ABadKeyInTheConfigurationEndsItWithStatusTwo) {
  std::ofstream(ca_ / "agentca.conf", std::ios::app) << "htp-listen = 127.0.0.1:1\n";
  Server server(ca_, LogFile());
  EXPECT_EQ(server.Wait(), 2);
  EXPECT_NE(server.Log().find("unknown key 'htp-listen'"), std::string::npos) << server.Log();
}

TEST_F(ServeTest, TheSignerRefusesToRunWithoutItsSocket) {
  const auto signer =
      RunCommand(std::string(AGENTCA_TEST_PROGRAM) + " signer --dir " + ca_.string() + " 3<&-");
  EXPECT_EQ(signer.exit_code, 2);
  EXPECT_NE(signer.output.find("descriptor 3"), std::string::npos) << signer.output;
}

}  // namespace
}  // namespace agentca::cli
