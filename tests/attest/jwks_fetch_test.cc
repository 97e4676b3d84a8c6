// Fetching a JWK Set from real TLS servers: honest, misconfigured and hostile ones.
#include "acme/attest/jwks_fetch.h"

#include <openssl/ssl.h>

#include "acme/http/socket_bio.h"
#include "tests/acme/validation_fixture.h"
#include "tests/attest/evidence_fixture.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::acme::attest::testing {
namespace {

using namespace std::chrono_literals;
using acme::testing::FixedResolver;
using acme::testing::LoopbackAllowed;
using acme::testing::SocketServer;
using acme::testing::StaysFor;

// A CA of the openssl command and its certificate for issuer.test and 127.0.0.1.
class Pki {
 public:
  Pki() {
    const auto result = fakes::RunCommand(
        "cd " + directory_.path().string() +
        " && new='openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2' && "
        "$new -subj /CN=CA -keyout ca.key -out ca.pem && "
        "$new -subj /CN=Other -keyout other.key -out other.pem && "
        "$new -subj /CN=issuer -keyout server.key -out server.pem -CA ca.pem -CAkey ca.key "
        "-addext subjectAltName=DNS:issuer.test,IP:127.0.0.1 "
        "-addext basicConstraints=critical,CA:FALSE");
    EXPECT_EQ(result.exit_code, 0) << result.output;
  }
  std::string File(std::string_view name) const { return (directory_ / name).string(); }
  std::string Text(std::string_view name) const {
    return std::string(AsText(fakes::ReadWholeFile(directory_ / name)));
  }

 private:
  fakes::TemporaryDirectory directory_;
};

const Pki& ThePki() {
  static const Pki kPki;
  return kPki;
}

// Ends the handshake, reads the request, answers with what it was given.
class TlsServer {
 public:
  using Answer = std::function<void(SSL*, int descriptor)>;
  explicit TlsServer(Answer answer, int max_version = 0, const std::string& name = "server")
      : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), answer_(std::move(answer)) {
    const auto& pki = ThePki();
    if (max_version != 0) {
      SSL_CTX_set_security_level(context_.get(), 0);
      SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context_.get(), max_version);
    }
    EXPECT_EQ(SSL_CTX_use_certificate_file(context_.get(), pki.File(name + ".pem").c_str(),
                                           SSL_FILETYPE_PEM),
              1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), pki.File(name + ".key").c_str(),
                                          SSL_FILETYPE_PEM),
              1);
    server_ = std::make_unique<SocketServer>([this](int descriptor) { Serve(descriptor); });
  }
  explicit TlsServer(std::string answer)
      : TlsServer([answer = std::move(answer)](SSL* ssl, int) { Send(ssl, answer); }) {}

  uint16_t port() const { return server_->port(); }
  int connections() const { return server_->connections(); }
  std::string request() const { return request_; }  // once it was answered

  static bool Send(SSL* ssl, std::string_view text) {
    return SSL_write(ssl, text.data(), static_cast<int>(text.size())) > 0;
  }

 private:
  void Serve(int descriptor) {
    SSL* ssl = SSL_new(context_.get());
    BIO* bio = http::NewSocketBio(descriptor);
    SSL_set_bio(ssl, bio, bio);
    char chunk[4096];
    const int n = SSL_accept(ssl) == 1 ? SSL_read(ssl, chunk, sizeof chunk) : 0;
    if (n > 0) {
      request_.assign(chunk, static_cast<size_t>(n));
      answer_(ssl, descriptor);
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
  }

  const std::shared_ptr<SSL_CTX> context_;
  const Answer answer_;
  std::string request_;
  std::unique_ptr<SocketServer> server_;  // last: its thread uses the rest
};

std::string Ok(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class Fetching {
 public:
  explicit Fetching(NetworkPolicy policy = LoopbackAllowed(), std::chrono::milliseconds total = 5s)
      : fetch_(MakeJwksFetch({resolver_, std::move(policy), Limits(total)})) {}

  Result<std::string> Fetch(const std::string& host, uint16_t port,
                            const std::string& ca = "ca.pem") const {
    ca::EvidenceSource source;
    source.jwks_url = "https://" + host + ":" + std::to_string(port) + "/keys?v=1";
    source.ca_pem = ThePki().Text(ca);
    return fetch_(source);
  }
  // The words of a failure, which is always kUnavailable.
  std::string Failure(const std::string& host, uint16_t port,
                      const std::string& ca = "ca.pem") const {
    const auto fetched = Fetch(host, port, ca);
    if (fetched.ok()) return "it was fetched";
    EXPECT_EQ(fetched.error().code, Code::kUnavailable);
    return fetched.error().detail;
  }
  const JwksFetch& fetch() const { return fetch_; }

 private:
  static ValidationLimits Limits(std::chrono::milliseconds total) {
    ValidationLimits limits;
    limits.total = total;
    return limits;
  }
  FixedResolver resolver_{{{127, 0, 0, 1}}};
  JwksFetch fetch_;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(JwksFetch, GetsTheSetOfTheUrl) {
  const TlsServer server(Ok(R"({"keys":[]})"));
  const auto fetched = Fetching().Fetch("issuer.test", server.port());
  ASSERT_TRUE(fetched.ok()) << fetched.error().detail;
  EXPECT_EQ(*fetched, R"({"keys":[]})");
  EXPECT_EQ(server.request().substr(0, 16), "GET /keys?v=1 HT");
  EXPECT_SAYS(server.request(), "\r\nHost: issuer.test:" + std::to_string(server.port()) + "\r\n");
}

TEST(JwksFetch, KnowsAddressesInUrlsAndChunkedAnswers) {
  const TlsServer server(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"k\r\n1\r\n\"\r\n0\r\n\r\n");
  const auto fetched = Fetching().Fetch("127.0.0.1", server.port());
  ASSERT_TRUE(fetched.ok()) << fetched.error().detail;
  EXPECT_EQ(*fetched, "{\"k\"");
}

TEST(JwksFetch, TheServersOwnCertificateMayBePinned) {
  const TlsServer server(Ok("x"));
  EXPECT_TRUE(Fetching().Fetch("issuer.test", server.port(), "server.pem").ok());
}

TEST(JwksFetch, RefusesAnotherCa) {
  const TlsServer server(Ok("x"));
  const std::string failure = Fetching().Failure("issuer.test", server.port(), "other.pem");
  EXPECT_SAYS(failure, "unable to get local issuer certificate");
  EXPECT_EQ(server.request(), "");
}

TEST(JwksFetch, RefusesACertificateForAnotherName) {
  const TlsServer server(Ok("x"));
  EXPECT_SAYS(Fetching().Failure("other.test", server.port()), "hostname mismatch");
  EXPECT_EQ(server.request(), "");
  const TlsServer nameless([](SSL* ssl, int) { TlsServer::Send(ssl, Ok("x")); }, 0, "other");
  EXPECT_SAYS(Fetching().Failure("127.0.0.1", nameless.port(), "other.pem"), "IP address mismatch");
}

TEST(JwksFetch, RefusesOldTls) {
  const TlsServer server([](SSL* ssl, int) { TlsServer::Send(ssl, Ok("x")); }, TLS1_1_VERSION);
  EXPECT_SAYS(Fetching().Failure("issuer.test", server.port()), "TLS handshake");
}

TEST(JwksFetch, RefusesServersWithoutTls) {
  const SocketServer server([](int descriptor) {
    acme::testing::ReadHead(descriptor);
    acme::testing::SendAll(descriptor, Ok("x"));
  });
  EXPECT_SAYS(Fetching(LoopbackAllowed(), 500ms).Failure("issuer.test", server.port()), "in time");
  ca::EvidenceSource plain;
  plain.jwks_url = "http://issuer.test/";
  plain.ca_pem = ThePki().Text("ca.pem");
  const auto fetched = Fetching().fetch()(plain);
  ASSERT_FALSE(fetched.ok());
  EXPECT_SAYS(fetched.error().detail, "not https");
}

TEST(JwksFetch, DoesNotFollowRedirects) {
  const TlsServer target(Ok("x"));
  const TlsServer server("HTTP/1.1 302 Found\r\nLocation: https://issuer.test:" +
                         std::to_string(target.port()) + "/\r\nContent-Length: 0\r\n\r\n");
  EXPECT_SAYS(Fetching().Failure("issuer.test", server.port()), "status 302, a redirect");
  EXPECT_EQ(target.connections(), 0);
}

TEST(JwksFetch, RefusesOtherStatuses) {
  for (const char* status : {"404 Not Found", "500 Oops", "204 No Content", "206 Partial"}) {
    const TlsServer server("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_SAYS(Fetching().Failure("issuer.test", server.port()),
                "status " + std::string(status).substr(0, 3));
  }
}

TEST(JwksFetch, HasALimitOfSize) {
  const TlsServer largest(Ok(std::string(kMaxJwks, ' ')));
  EXPECT_TRUE(Fetching().Fetch("issuer.test", largest.port()).ok());
  const TlsServer announced("HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n");
  EXPECT_SAYS(Fetching().Failure("issuer.test", announced.port()), "too large");
  const auto endless = [](std::string head, std::string part) {
    return [head = std::move(head), part = std::move(part)](SSL* ssl, int) {
      TlsServer::Send(ssl, head);
      while (TlsServer::Send(ssl, part)) continue;
    };
  };
  const TlsServer body(endless("HTTP/1.1 200 OK\r\n\r\n", std::string(8192, ' ')));
  EXPECT_SAYS(Fetching().Failure("issuer.test", body.port()), "too large");
  const TlsServer chunks(endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 "1000\r\n" + std::string(4096, ' ') + "\r\n"));
  EXPECT_SAYS(Fetching().Failure("issuer.test", chunks.port()), "too large");
  const TlsServer header(endless("HTTP/1.1 200 OK\r\n", "X: " + std::string(1000, 'x') + "\r\n"));
  EXPECT_SAYS(Fetching().Failure("issuer.test", header.port()), "too large");
  const TlsServer interim(endless("", "HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_SAYS(Fetching().Failure("issuer.test", interim.port()), "too large");
}

TEST(JwksFetch, RefusesAnswersThatEndEarly) {
  const TlsServer body("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"keys\"");
  EXPECT_SAYS(Fetching().Failure("issuer.test", body.port()), "ended before");
  const TlsServer nothing("");
  EXPECT_SAYS(Fetching().Failure("issuer.test", nothing.port()), "ended before");
  const TlsServer noise("I am not HTTP\r\n\r\n");
  EXPECT_SAYS(Fetching().Failure("issuer.test", noise.port()), "not HTTP");
}

// One octet now and then, for ever: each read succeeds, and the whole ends all the same.
TEST(JwksFetch, BoundsTheWholeTimeOfADrippingAnswer) {
  const TlsServer server([](SSL* ssl, int descriptor) {
    TlsServer::Send(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (StaysFor(descriptor, 20ms) && TlsServer::Send(ssl, " ")) continue;
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_SAYS(Fetching(LoopbackAllowed(), 500ms).Failure("issuer.test", server.port()),
              "no answer in time");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
}

TEST(JwksFetch, BoundsTheWholeTimeOfADrippingHandshake) {
  const SocketServer server([](int descriptor) {
    char hello[4096];
    (void)::recv(descriptor, hello, sizeof hello, 0);
    // The head of a handshake record of 16 KiB, then its octets one by one.
    if (!acme::testing::SendAll(descriptor, std::string_view("\x16\x03\x03\x40\x00\x02", 6)))
      return;
    while (StaysFor(descriptor, 20ms) && acme::testing::SendAll(descriptor, "\x01")) continue;
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_SAYS(Fetching(LoopbackAllowed(), 500ms).Failure("issuer.test", server.port()), "in time");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
}

TEST(JwksFetch, ConnectsOnlyWhereThePolicyAllows) {
  const TlsServer server(Ok("x"));
  const Fetching guarded(NetworkPolicy({}, NetworkPolicy::DefaultDeny()));
  for (const char* host : {"issuer.test", "127.0.0.1", "[::1]", "2130706433"}) {
    const std::string failure = guarded.Failure(host, server.port());
    EXPECT_EQ(failure.find("it was fetched"), std::string::npos) << host;
  }
  EXPECT_SAYS(guarded.Failure("issuer.test", server.port()), "network policy");
  EXPECT_SAYS(Fetching().Failure("denied.test", server.port()), "network policy");
  EXPECT_EQ(server.connections(), 0);
}

TEST(JwksFetch, SaysWhatFailed) {
  uint16_t free_port = 0;
  {
    const acme::testing::ListeningSocket socket;
    free_port = socket.port();
  }
  const std::string failure = Fetching().Failure("issuer.test", free_port);
  EXPECT_SAYS(failure,
              "fetching \"https://issuer.test:" + std::to_string(free_port) + "/keys?v=1\"");
  EXPECT_SAYS(failure, "connection refused");
}

}  // namespace
}  // namespace agentca::acme::attest::testing
