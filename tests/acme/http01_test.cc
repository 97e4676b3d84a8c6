// http-01 against pebble-challtestsrv and against servers that mean harm.
#include "tests/acme/validation_fixture.h"

namespace agentca::acme::testing {
namespace {

const std::string kPath = "/.well-known/acme-challenge/" + std::string(kToken);

std::string Ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string Redirect(const std::string& location, const std::string& status = "302 Found") {
  return "HTTP/1.1 " + status + "\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n";
}

// Serves the same answer to every request, and remembers the last request.
struct Scripted {
  explicit Scripted(std::function<std::string(const std::string& request)> script)
      : server([this, script = std::move(script)](int descriptor) {
          request = ReadHead(descriptor);
          SendAll(descriptor, script(request));
        }) {}
  std::string request;
  SocketServer server;
};

class Http01 : public ::testing::Test {
 protected:
  Result<Proof> VerifyAt(uint16_t port, const Identifier& identifier = Dns("a.test")) {
    network_.http01_port = port;
    return Verify(*MakeHttp01(network_), identifier);
  }
  // The verification fails with this code, soon, and says `words`.
  void ExpectFailure(const Result<Proof>& proof, Code code, const std::string& words) {
    ASSERT_FALSE(proof.ok());
    EXPECT_EQ(proof.error().code, code) << proof.error().detail;
    EXPECT_NE(proof.error().detail.find(words), std::string::npos) << proof.error().detail;
    EXPECT_LT(proof.error().detail.size(), 400u);
  }
  void ExpectAnswer(const std::string& answer, Code code, const std::string& words) {
    SCOPED_TRACE(answer.substr(0, 100));
    Scripted scripted([&](const std::string&) { return answer; });
    ExpectFailure(VerifyAt(scripted.server.port()), code, words);
  }
  void ExpectAccepted(const std::string& answer) {
    Scripted scripted([&](const std::string&) { return answer; });
    const auto proof = VerifyAt(scripted.server.port());
    EXPECT_TRUE(proof.ok()) << answer << ": " << proof.error().detail;
  }

  FixedResolver resolver_{{{127, 0, 0, 1}}};
  ValidationNetwork network_{resolver_, LoopbackAllowed(), {}};
};

TEST_F(Http01, AcceptsTheKeyAuthorizationFromChalltestsrv) {
  ChallengeServer server;
  server.Manage("/add-http01", R"({"token":")" + std::string(kToken) + R"(","content":")" +
                                   std::string(kKeyAuthorization) + R"("})");
  const auto resolver = ResolverAt(server.dns());
  ValidationNetwork network{*resolver, LoopbackAllowed(), {}};
  network.http01_port = server.http();
  const auto verifier = MakeHttp01(network);
  const auto proof = Verify(*verifier, Dns("a.test"));
  ASSERT_TRUE(proof.ok()) << proof.error().detail;
  EXPECT_EQ(proof->proven, std::vector<Identifier>{Dns("a.test")});
  EXPECT_EQ(Verify(*verifier, Dns("a.test"), "other.thumbprint").error().code,
            Code::kIncorrectResponse);
}

TEST_F(Http01, FollowsARedirectToHttpsWithoutVerifyingItsCertificate) {
  ChallengeServer server;
  server.Manage("/add-http01", R"({"token":")" + std::string(kToken) + R"(","content":")" +
                                   std::string(kKeyAuthorization) + R"("})");
  Scripted scripted([&](const std::string&) {
    return Redirect("https://b.test:" + std::to_string(server.https()) + kPath);
  });
  network_.tls_alpn01_port = server.https();
  const auto proof = VerifyAt(scripted.server.port());
  EXPECT_TRUE(proof.ok()) << proof.error().detail;
}

TEST_F(Http01, AsksForTheTokenByNameAndSaysWhoItIs) {
  Scripted scripted([&](const std::string&) { return Ok(kKeyAuthorization); });
  ASSERT_TRUE(VerifyAt(scripted.server.port()).ok());
  EXPECT_TRUE(scripted.request.starts_with("GET " + kPath + " HTTP/1.1\r\n")) << scripted.request;
  EXPECT_NE(scripted.request.find("\r\nHost: a.test:" + std::to_string(scripted.server.port())),
            std::string::npos);
  EXPECT_NE(scripted.request.find("\r\nUser-Agent: agentca/"), std::string::npos);
}

TEST_F(Http01, AcceptsEveryFramingOfTheAnswer) {
  const std::string body(kKeyAuthorization);
  ExpectAccepted(Ok(body));
  ExpectAccepted(Ok(body + "\r\n \t\n"));
  ExpectAccepted("HTTP/1.0 200 OK\r\n\r\n" + body);
  ExpectAccepted("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + body.substr(0, 5) +
                 "\r\n1d\r\n" + body.substr(5) + "\r\n0\r\n\r\n");
  ExpectAccepted("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Ok(body));
}

TEST_F(Http01, RefusesWrongAnswers) {
  const std::string body(kKeyAuthorization);
  ExpectAnswer(Ok(""), Code::kIncorrectResponse, "not the key authorization");
  ExpectAnswer(Ok(" " + body), Code::kIncorrectResponse, "not the key authorization");
  ExpectAnswer(Ok(body + "x"), Code::kIncorrectResponse, "not the key authorization");
  ExpectAnswer(Ok(std::string("\x01<b>\xff") + std::string(1000, 'y')), Code::kIncorrectResponse,
               "begins \"?<b>?yyy");
  ExpectAnswer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Code::kIncorrectResponse,
               "status 404");
  ExpectAnswer("HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body,
               Code::kIncorrectResponse, "status 206");
  ExpectAnswer("SSH-2.0-OpenSSH_9.2\r\n\r\n", Code::kIncorrectResponse, "not HTTP");
  ExpectAnswer("", Code::kConnection, "ended before");
  ExpectAnswer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", Code::kConnection,
               "ended before");
}

TEST_F(Http01, StopsReadingAtItsLimits) {
  ExpectAnswer(Ok(std::string(5000, 'x')), Code::kIncorrectResponse, "too large");
  ExpectAnswer("HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'), Code::kIncorrectResponse,
               "too large");
  ExpectAnswer("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), Code::kIncorrectResponse,
               "too large");
  std::string fields;
  for (int i = 0; i < 10'000; ++i) fields += "X: y\r\n";
  ExpectAnswer("HTTP/1.1 200 OK\r\n" + fields, Code::kIncorrectResponse, "too large");
  std::string interim;
  for (int i = 0; i < 10'000; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  ExpectAnswer(interim, Code::kIncorrectResponse, "too large");
}

TEST_F(Http01, EndsAnEndlessHeaderAndAnEndlessBody) {
  for (const std::string start : {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    SocketServer endless([&](int descriptor) {
      (void)ReadHead(descriptor);
      std::string more = start.find("chunked") != std::string::npos ? "1\r\nx\r\n" : "X: y\r\n";
      for (int i = 0; i < 10; ++i) more += more;
      for (bool alive = SendAll(descriptor, start); alive;) alive = SendAll(descriptor, more);
    });
    ExpectFailure(VerifyAt(endless.port()), Code::kIncorrectResponse, "too large");
  }
}

TEST_F(Http01, EndsASlowDripAtItsTotalTime) {
  network_.limits.total = 300ms;
  SocketServer drip([](int descriptor) {
    (void)ReadHead(descriptor);
    SendAll(descriptor, "HTTP/1.1 200 OK\r\nX: ");
    while (StaysFor(descriptor, 10ms) && SendAll(descriptor, "x")) {
    }
  });
  const auto start = std::chrono::steady_clock::now();
  ExpectFailure(VerifyAt(drip.port()), Code::kIncorrectResponse, "no answer in time");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(Http01, SharesItsTotalTimeAmongRedirects) {
  network_.limits.total = 400ms;
  uint16_t port = 0;
  std::atomic<int> turn{0};
  SocketServer slow([&](int descriptor) {
    (void)ReadHead(descriptor);
    if (StaysFor(descriptor, 150ms)) SendAll(descriptor, Redirect("/" + std::to_string(++turn)));
  });
  port = slow.port();
  ExpectFailure(VerifyAt(port), Code::kIncorrectResponse, "no answer in time");
  EXPECT_LE(slow.connections(), 4);
}

TEST_F(Http01, FollowsTenRedirectsAndNoMore) {
  for (const int wanted : {10, 11}) {
    int turn = 0;
    Scripted scripted([&](const std::string&) {
      return turn++ < wanted ? Redirect("/" + std::to_string(turn), "308 Permanent Redirect")
                             : Ok(kKeyAuthorization);
    });
    const auto proof = VerifyAt(scripted.server.port());
    EXPECT_EQ(proof.ok(), wanted == 10);
    if (!proof.ok()) {
      ExpectFailure(proof, Code::kIncorrectResponse, "more than 10 redirects");
    }
  }
}

TEST_F(Http01, RefusesRedirectsThatLeadAstray) {
  ExpectAnswer(Redirect(kPath), Code::kIncorrectResponse, "redirect to itself");
  ExpectAnswer(Redirect("http://b.test:22/"), Code::kIncorrectResponse, "port 22");
  ExpectAnswer(Redirect("https://b.test:8443/"), Code::kIncorrectResponse, "port 8443");
  ExpectAnswer(Redirect("ftp://b.test/"), Code::kIncorrectResponse, "neither http nor https");
  ExpectAnswer(Redirect("http://127.0.0.1/"), Code::kIncorrectResponse, "IP address");
  ExpectAnswer(Redirect("http://2130706433/"), Code::kIncorrectResponse, "IP address");
  ExpectAnswer(Redirect("http://[::1]/"), Code::kIncorrectResponse, "IP address");
  ExpectAnswer(Redirect("http://u:p@b.test/"), Code::kIncorrectResponse, "user information");
  ExpectAnswer(Redirect("http://b.test/" + std::string(10'000, 'x')), Code::kIncorrectResponse,
               "too long");
  ExpectAnswer("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", Code::kIncorrectResponse,
               "redirect target is missing");
  ExpectAnswer(Redirect("/x", "303 See Other"), Code::kIncorrectResponse, "status 303");
}

// Who is redirected to must not be read through our errors.
TEST_F(Http01, QuotesNothingThatWasSaidBehindARedirect) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {Ok("SECRET"), "not the key authorization"},
      {"HTTP/1.1 418 SECRET\r\nContent-Length: 6\r\n\r\nSECRET", "the status is not 200"},
      {Redirect("http://secret.test:22/SECRET"), "does not follow"},
      {Redirect("ftp://secret.test/SECRET"), "does not follow"}};
  for (const auto& [answer, words] : answers) {
    Scripted scripted([&](const std::string& request) {
      return request.starts_with("GET /told ") ? answer : Redirect("/told");
    });
    const auto proof = VerifyAt(scripted.server.port());
    ExpectFailure(proof, Code::kIncorrectResponse, words);
    for (const std::string hidden : {"SECRET", "secret", "status 418", "port 22", "ftp"})
      EXPECT_EQ(proof.error().detail.find(hidden), std::string::npos) << proof.error().detail;
    EXPECT_NE(proof.error().detail.find("/told"), std::string::npos) << proof.error().detail;
  }
}

TEST_F(Http01, DoesNotNameWhereARedirectBehindARedirectLed) {
  network_.tls_alpn01_port = [] { return ListeningSocket().port(); }();
  Scripted scripted([&](const std::string& request) {
    if (!request.starts_with("GET /told ")) return Redirect("/told");
    return Redirect("https://secret.test:" + std::to_string(network_.tls_alpn01_port) + "/SECRET");
  });
  const auto proof = VerifyAt(scripted.server.port());
  ExpectFailure(proof, Code::kConnection, "/told and on from there: no connection");
  for (const std::string& hidden :
       {std::string("SECRET"), std::string("secret"), std::to_string(network_.tls_alpn01_port)})
    EXPECT_EQ(proof.error().detail.find(hidden), std::string::npos) << proof.error().detail;
}

TEST_F(Http01, ChecksTheAddressOfEachRedirect) {
  Scripted scripted([](const std::string&) { return Redirect("http://denied.test/latest/"); });
  const auto proof = VerifyAt(scripted.server.port());
  ASSERT_FALSE(proof.ok());
  EXPECT_EQ(proof.error().code, Code::kRejectedIdentifier);
  EXPECT_EQ(proof.error().detail.find("169.254"), std::string::npos);
}

TEST_F(Http01, ConnectsToNoDeniedAddress) {
  Scripted scripted([](const std::string&) { return Ok(kKeyAuthorization); });
  network_.policy = NetworkPolicy({}, NetworkPolicy::DefaultDeny());
  const auto proof = VerifyAt(scripted.server.port());
  ASSERT_FALSE(proof.ok());
  EXPECT_EQ(proof.error().code, Code::kRejectedIdentifier);
  EXPECT_EQ(scripted.server.connections(), 0);
  EXPECT_EQ(VerifyAt(scripted.server.port(), {Identifier::Type::kIp, "127.0.0.1"}).error().code,
            Code::kRejectedIdentifier);
}

TEST_F(Http01, ProvesIpAddresses) {
  Scripted scripted([](const std::string&) { return Ok(kKeyAuthorization); });
  const Identifier address{Identifier::Type::kIp, "127.0.0.1"};
  const auto proof = VerifyAt(scripted.server.port(), address);
  ASSERT_TRUE(proof.ok()) << proof.error().detail;
  EXPECT_NE(scripted.request.find("\r\nHost: 127.0.0.1:"), std::string::npos);
}

TEST_F(Http01, FallsBackToIpv4WhenIpv6CannotConnect) {
  Bytes v6(16);
  v6[15] = 1;  // ::1, where nothing listens on this port
  const FixedResolver both({v6, {127, 0, 0, 1}});
  ValidationNetwork network{both, LoopbackAllowed(), {}};
  Scripted scripted([](const std::string&) { return Ok(kKeyAuthorization); });
  network.http01_port = scripted.server.port();
  const auto proof = Verify(*MakeHttp01(network), Dns("a.test"));
  EXPECT_TRUE(proof.ok()) << proof.error().detail;
}

TEST_F(Http01, SaysThatTheConnectionWasRefused) {
  uint16_t port;
  {
    const ListeningSocket gone;
    port = gone.port();
  }
  ExpectFailure(VerifyAt(port), Code::kConnection, "connection refused");
}

TEST_F(Http01, RefusesHttpsRedirectsToServersThatDoNotSpeakTls) {
  SocketServer plain([](int descriptor) {
    SendAll(descriptor, "HTTP/1.1 400 Bad Request\r\n\r\n");
    char octets[4096];
    while (::recv(descriptor, octets, sizeof octets, 0) > 0) {
    }
  });
  network_.tls_alpn01_port = plain.port();
  ExpectAnswer(Redirect("https://b.test:" + std::to_string(plain.port()) + "/"), Code::kTls,
               "TLS handshake");
}

}  // namespace
}  // namespace agentca::acme::testing
