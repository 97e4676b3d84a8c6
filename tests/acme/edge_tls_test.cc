// TLS at the edge: identity, reload, versions, stock clients (openssl s_client, curl).
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/acme/edge_fixture.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::acme::http::testing {
namespace {

namespace fs = std::filesystem;

// A self-signed pair made by the openssl program.
void MakePair(const fs::path& directory, const std::string& name) {
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
      name + " -addext subjectAltName=DNS:" + name + " -keyout " +
      (directory / "key.pem").string() + " -out " + (directory / "chain.pem").string() +
      " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  ASSERT_EQ(::chmod((directory / "key.pem").c_str(), 0600), 0);
}

std::string Output(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  char chunk[4096];
  size_t n;
  while ((n = std::fread(chunk, 1, sizeof chunk, pipe)) > 0) out.append(chunk, n);
  ::pclose(pipe);
  return out;
}

class EdgeTls : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePair(directory_.path(), "first.test");
    auto loaded = TlsIdentity::Load(chain(), key());
    ASSERT_TRUE(loaded.ok()) << loaded.error().detail;
    identity_ = *loaded;
  }
  fs::path chain() const { return directory_.path() / "chain.pem"; }
  fs::path key() const { return directory_.path() / "key.pem"; }
  ServerOptions Options() const {
    ServerOptions options;
    options.tls = identity_;
    return options;
  }
  static std::string SClient(uint16_t port, const std::string& arguments) {
    return Output("openssl s_client -nameopt RFC2253 -connect 127.0.0.1:" + std::to_string(port) +
                  " " + arguments + " </dev/null 2>&1");
  }

  fakes::TemporaryDirectory directory_;
  std::shared_ptr<TlsIdentity> identity_;
};

TEST_F(EdgeTls, ServesCurl) {
  TestServer server(Options());
  const std::string url = "https://first.test:" + std::to_string(server.server->port());
  const std::string curl = "curl -sS --max-time 20 --cacert " + chain().string() +
                           " --resolve first.test:" + std::to_string(server.server->port()) +
                           ":127.0.0.1 ";
  EXPECT_NE(Output(curl + "-i " + url + "/a").find("GET /a? []"), std::string::npos);
  std::ofstream(directory_.path() / "body") << std::string(100'000, 'b');
  const auto data = " --data-binary @" + (directory_.path() / "body").string() + " ";
  EXPECT_NE(Output(curl + data + url + "/b").find(std::string(100'000, 'b')), std::string::npos);
  EXPECT_NE(Output(curl + "-H 'Transfer-Encoding: chunked'" + data + url + "/c").find("POST /c?"),
            std::string::npos);
  EXPECT_NE(Output(curl + "--http2 -I " + url + "/a").find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(EdgeTls, SendsLargeBodiesInFull) {
  const auto large = std::make_shared<const Bytes>(5'000'000, uint8_t{'z'});
  TestServer server(Options(), [large](const Request&) {
    Response response;
    response.shared_body = large;
    return response;
  });
  const auto size =
      Output("curl -sSk --max-time 60 -o /dev/null -w '%{size_download}' https://127.0.0.1:" +
             std::to_string(server.server->port()) + "/");
  EXPECT_EQ(size, "5000000");
}

TEST_F(EdgeTls, RefusesTls11AndSpeaks12And13) {
  TestServer server(Options());
  const uint16_t port = server.server->port();
  EXPECT_EQ(SClient(port, "-tls1_1 -cipher ALL:@SECLEVEL=0").find("Server certificate"),
            std::string::npos);
  EXPECT_NE(SClient(port, "-tls1_2").find("Protocol  : TLSv1.2"), std::string::npos);
  EXPECT_NE(SClient(port, "-tls1_3").find("TLSv1.3"), std::string::npos);
  EXPECT_EQ(SClient(port, "-tls1_2 -cipher AES128-SHA").find("Server certificate"),
            std::string::npos);
}

TEST_F(EdgeTls, RefusesForeignApplicationProtocols) {
  TestServer server(Options());
  const uint16_t port = server.server->port();
  EXPECT_NE(SClient(port, "-alpn http/1.1").find("ALPN protocol: http/1.1"), std::string::npos);
  EXPECT_NE(SClient(port, "-alpn acme-tls/1").find("no application protocol"), std::string::npos);
}

TEST_F(EdgeTls, ResumesSessionsWithTickets) {
  TestServer server(Options());
  const auto session = (directory_.path() / "session.pem").string();
  (void)SClient(server.server->port(), "-tls1_2 -sess_out " + session);
  EXPECT_NE(SClient(server.server->port(), "-tls1_2 -sess_in " + session).find("Reused, TLSv1.2"),
            std::string::npos);
}

TEST_F(EdgeTls, ReloadServesTheNewIdentityAndKeepsTheOldOnFailure) {
  TestServer server(Options());
  const uint16_t port = server.server->port();
  EXPECT_NE(SClient(port, "").find("CN=first.test"), std::string::npos);
  MakePair(directory_.path(), "second.test");
  ASSERT_TRUE(identity_->Reload().ok());
  EXPECT_NE(SClient(port, "").find("CN=second.test"), std::string::npos);

  const auto stale = directory_.path() / "stale";
  fs::create_directory(stale);
  MakePair(stale, "third.test");
  fs::copy_file(stale / "chain.pem", chain(), fs::copy_options::overwrite_existing);
  const auto mismatch = identity_->Reload();
  ASSERT_FALSE(mismatch.ok());
  EXPECT_NE(mismatch.error().detail.find("does not belong"), std::string::npos);
  EXPECT_NE(SClient(port, "").find("CN=second.test"), std::string::npos);
  std::ofstream(chain()) << "rubbish";
  EXPECT_FALSE(identity_->Reload().ok());
  EXPECT_NE(SClient(port, "").find("CN=second.test"), std::string::npos);
}

TEST_F(EdgeTls, RefusesAKeyThatOthersCanRead) {
  ASSERT_EQ(::chmod(key().c_str(), 0644), 0);
  const auto loaded = TlsIdentity::Load(chain(), key());
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.error().detail.find("can read it"), std::string::npos);
  ASSERT_EQ(::chmod(key().c_str(), 0640), 0);
  EXPECT_TRUE(TlsIdentity::Load(chain(), key()).ok());
}

TEST_F(EdgeTls, RefusesATruncatedChain) {
  std::ifstream in(chain());
  const std::string pem((std::istreambuf_iterator<char>(in)), {});
  std::ofstream(chain()) << pem << pem.substr(0, pem.size() / 2);
  EXPECT_FALSE(TlsIdentity::Load(chain(), key()).ok());
}

TEST_F(EdgeTls, CountsTheHandshakeInTheRequestDeadline) {
  auto options = Options();
  options.limits.request_deadline = 50ms;
  TestServer server(options);
  auto silent = server.Connect();
  EXPECT_EQ(silent.ReadToEnd(), "");
  auto partial = server.Connect();
  ASSERT_TRUE(partial.Send(std::string("\x16\x03\x01\x02\x00\x01", 6)));
  EXPECT_EQ(partial.ReadToEnd(), "");
}

TEST_F(EdgeTls, DropsAClientThatSpeaksPlainHttp) {
  TestServer server(Options());
  auto client = server.Connect();
  ASSERT_TRUE(client.Send(kGet));
  EXPECT_EQ(client.ReadToEnd().find("HTTP/1.1"), std::string::npos);
}

TEST_F(EdgeTls, RefusesRenegotiation) {
  TestServer server(Options());
  const auto out =
      Output("(printf 'R\\n'; cat) </dev/null | openssl s_client -tls1_2 -connect 127.0.0.1:" +
             std::to_string(server.server->port()) + " 2>&1");
  EXPECT_NE(out.find("no renegotiation"), std::string::npos) << out;
}

}  // namespace
}  // namespace agentca::acme::http::testing
