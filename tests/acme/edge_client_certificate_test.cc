// Client certificates at the edge: who is let in, as stock openssl s_client sees it.
#include <openssl/pem.h>
#include <sys/stat.h>

#include <mutex>

#include "acme/http/tls_state.h"
#include "tests/acme/edge_fixture.h"
#include "tests/fakes/command.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::acme::http::testing {
namespace {

using fakes::CertificatePlan;
using fakes::MakeCertificate;
using fakes::TestSigner;

constexpr Seconds kDay{86400};

class EdgeClientCertificate : public ::testing::Test {
 protected:
  EdgeClientCertificate() {
    Write("server",
          MakeCertificate({"server.test", server_.key(), "Issuing", issuing_key_.key(), now_ - kDay,
                           now_ + kDay, 20, false, false, "serverAuth", "DNS:server.test"}),
          server_);
  }
  CertificatePlan Client(long serial = 30) const {
    return {"client", client_.key(), "Issuing", issuing_key_.key(), now_ - kDay, now_ + kDay,
            serial,   false,         false,     "clientAuth"};
  }
  void Write(const std::string& name, const ca::Certificate& certificate, const TestSigner& key) {
    fakes::WriteFile(directory_ / (name + ".pem"), AsBytes(ToPem("CERTIFICATE", certificate.der)));
    FILE* file = std::fopen((directory_ / (name + ".key")).c_str(), "w");
    ASSERT_EQ(PEM_write_PrivateKey(file, key.key(), nullptr, nullptr, 0, nullptr, nullptr), 1);
    std::fclose(file);
    ASSERT_EQ(::chmod((directory_ / (name + ".key")).c_str(), 0600), 0);
  }
  ServerOptions Options(bool demand = true) {
    ServerOptions options;
    if (!identity_)
      identity_ = TlsIdentity::Load(directory_ / "server.pem", directory_ / "server.key").value();
    options.tls = identity_;
    if (demand) options.clients = TlsClients::Trust({root_.der, issuing_.der}).value();
    return options;
  }
  // What s_client prints when it sends one request over a connection.
  std::string Ask(const TestServer& server, const std::string& arguments) const {
    return fakes::RunCommand(
               "printf 'GET /a HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n'"
               " | openssl s_client -ign_eof -connect 127.0.0.1:" +
               std::to_string(server.server->port()) + " " + arguments)
        .output;
  }
  std::string With(const std::string& name) const {
    return "-cert " + (directory_ / (name + ".pem")).string() + " -key " +
           (directory_ / (name + ".key")).string() + " ";
  }
  // Whether a client with this certificate gets an answer, under both versions alike.
  bool LetsIn(const TestServer& server, const std::string& arguments) const {
    const bool newer = Ask(server, "-tls1_3 " + arguments).find("GET /a?") != std::string::npos;
    const bool older = Ask(server, "-tls1_2 " + arguments).find("GET /a?") != std::string::npos;
    EXPECT_EQ(newer, older);
    return newer;
  }

  const Time now_ = SystemClock().Now();
  const TestSigner root_key_, issuing_key_, foreign_key_, server_, client_;
  const ca::Certificate root_ = MakeCertificate(
      {"Root", root_key_.key(), "Root", root_key_.key(), now_ - kDay, now_ + kDay, 1, true});
  const ca::Certificate issuing_ = MakeCertificate(
      {"Issuing", issuing_key_.key(), "Root", root_key_.key(), now_ - kDay, now_ + kDay, 2, true});
  fakes::TemporaryDirectory directory_;
  std::shared_ptr<TlsIdentity> identity_;
};

TEST_F(EdgeClientCertificate, HandsTheVerifiedLeafToTheHandler) {
  const auto certificate = MakeCertificate(Client());
  Write("client", certificate, client_);
  std::mutex mutex;  // guards seen
  Bytes seen;
  TestServer server(Options(), [&](const Request& request) {
    const std::lock_guard lock(mutex);
    seen = request.peer_certificate;
    return Echo(request);
  });
  EXPECT_TRUE(LetsIn(server, With("client")));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, certificate.der);
}

TEST_F(EdgeClientCertificate, IsInEveryRequestOfAConnection) {
  Write("client", MakeCertificate(Client()), client_);
  std::atomic<int> with{0};
  TestServer server(Options(), [&](const Request& request) {
    if (!request.peer_certificate.empty()) ++with;
    return Echo(request);
  });
  const std::string url = "https://server.test:" + std::to_string(server.server->port());
  const auto out =
      fakes::RunCommand("curl -sS --max-time 20 --noproxy '*' --cacert " +
                        (directory_ / "server.pem").string() + " -k " +
                        With("client")
                            .replace(0, 5, "--cert")
                            .replace(With("client").find(" -key") + 1, 5, " --key") +
                        " --resolve server.test:" + std::to_string(server.server->port()) +
                        ":127.0.0.1 " + url + "/a " + url + "/b");
  EXPECT_NE(out.output.find("GET /b?"), std::string::npos) << out.output;
  EXPECT_EQ(with, 2);
}

TEST_F(EdgeClientCertificate, RefusesAClientWithoutOneAndSaysSo) {
  TestServer server(Options());
  EXPECT_FALSE(LetsIn(server, ""));
  EXPECT_NE(Ask(server, "-tls1_3").find("certificate required"), std::string::npos);
  EXPECT_NE(Ask(server, "-tls1_2").find("alert handshake failure"), std::string::npos);
}

TEST_F(EdgeClientCertificate, RefusesOneOfAForeignCaWithTheNameOfOurs) {
  auto plan = Client();
  plan.issuer_key = foreign_key_.key();
  Write("foreign", MakeCertificate(plan), client_);
  TestServer server(Options());
  EXPECT_FALSE(LetsIn(server, With("foreign")));
}

TEST_F(EdgeClientCertificate, RefusesOneThatSignedItself) {
  auto plan = Client();
  plan.issuer = plan.subject;
  plan.issuer_key = client_.key();
  Write("self", MakeCertificate(plan), client_);
  TestServer server(Options());
  EXPECT_FALSE(LetsIn(server, With("self")));
}

TEST_F(EdgeClientCertificate, RefusesTheExpiredAndTheNotYetValid) {
  auto expired = Client();
  expired.not_after = now_ - Seconds(1);
  Write("expired", MakeCertificate(expired), client_);
  auto future = Client();
  future.not_before = now_ + Seconds(3600);
  Write("future", MakeCertificate(future), client_);
  TestServer server(Options());
  EXPECT_FALSE(LetsIn(server, With("expired")));
  EXPECT_NE(Ask(server, With("expired")).find("certificate expired"), std::string::npos);
  EXPECT_FALSE(LetsIn(server, With("future")));
}

TEST_F(EdgeClientCertificate, RefusesThoseThatAreNotForClientAuthentication) {
  auto server_only = Client();
  server_only.usage = "serverAuth";
  Write("server-only", MakeCertificate(server_only), client_);
  auto silent = Client();
  silent.usage = nullptr;
  Write("silent", MakeCertificate(silent), client_);
  TestServer server(Options());
  EXPECT_FALSE(LetsIn(server, With("server-only")));
  EXPECT_FALSE(LetsIn(server, With("silent")));
  EXPECT_NE(Ask(server, With("silent")).find("unsupported certificate"), std::string::npos);
}

TEST_F(EdgeClientCertificate, RefusesALeafThatPosesAsAnIssuer) {
  Write("client", MakeCertificate(Client()), client_);
  auto plan = Client(31);
  const TestSigner below;
  plan.subject = "below";
  plan.key = below.key();
  plan.issuer = "client";
  plan.issuer_key = client_.key();
  Write("below", MakeCertificate(plan), below);
  TestServer server(Options());
  EXPECT_FALSE(
      LetsIn(server, With("below") + "-cert_chain " + (directory_ / "client.pem").string()));
}

TEST_F(EdgeClientCertificate, ResumesNoSession) {
  Write("client", MakeCertificate(Client()), client_);
  TestServer server(Options());
  const auto session = (directory_ / "session.pem").string();
  (void)Ask(server, "-tls1_2 -sess_out " + session + " " + With("client"));
  EXPECT_EQ(Ask(server, "-tls1_2 -sess_in " + session + " " + With("client")).find("Reused, "),
            std::string::npos);
  EXPECT_EQ(Ask(server, "-tls1_3 " + With("client")).find("New Session Ticket"), std::string::npos);
}

TEST_F(EdgeClientCertificate, ASessionOfAServerThatDemandsNothingOpensNoDoor) {
  TestServer open(Options(false));
  TestServer server(Options());  // the same identity, so the same ticket keys
  for (const std::string version : {"-tls1_2 ", "-tls1_3 "}) {
    const auto session = (directory_ / "session.pem").string();
    EXPECT_NE(Ask(open, version + "-sess_out " + session).find("GET /a?"), std::string::npos);
    EXPECT_NE(Ask(open, version + "-sess_in " + session).find("Reused, "), std::string::npos);
    EXPECT_EQ(Ask(server, version + "-sess_in " + session).find("GET /a?"), std::string::npos);
  }
}

TEST_F(EdgeClientCertificate, NeedsTls) {
  auto options = Options();
  options.tls = nullptr;
  options.listen = "127.0.0.1:0";
  WorkerPool pool(1, 1);
  EXPECT_FALSE(Server::Listen(options, pool, Echo, RefuseText).ok());
}

TEST(TlsClients, RefusesAuthoritiesThatAreNone) {
  EXPECT_FALSE(TlsClients::Trust({}).ok());
  EXPECT_FALSE(TlsClients::Trust({Bytes{1, 2, 3}}).ok());
}

}  // namespace
}  // namespace agentca::acme::http::testing
