// What the edge makes of octets, well-formed and hostile, over real sockets.
#include <algorithm>

#include "acme/http/chunked.h"
#include "tests/acme/edge_fixture.h"

namespace agentca::acme::http::testing {
namespace {

struct Hostile {
  const char* name;
  std::string request;
  std::string status;
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

std::string Get(std::string_view fields) {
  return "GET /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}
std::string Post(std::string_view fields, std::string_view body) {
  return "POST /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

class EdgeHostile : public ::testing::TestWithParam<Hostile> {};

TEST_P(EdgeHostile, IsRefusedAndTheConnectionClosed) {
  TestServer server;
  auto client = server.Connect();
  client.Send(GetParam().request);
  const std::string response = client.ReadToEnd();
  EXPECT_EQ(response.substr(0, 13), "HTTP/1.1 " + GetParam().status + " ") << response;
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(response.find("refused: "), std::string::npos);
  // Exactly one response: what follows a refused request is not looked at.
  EXPECT_EQ(response.find("HTTP/1.1", 1), std::string::npos) << response;
}

const Hostile kHostile[] = {
    {"NotHttp", "hello\r\n\r\n", "400"},
    {"TlsHelloToPlainPort", std::string("\x16\x03\x01\x00\xc8\x01\x00", 7), "400"},
    {"OnlyEmptyLines", "\r\n\r\n\r\n", "400"},
    {"MethodWithSpace", "GE T /a HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
    {"UnknownVersion", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", "400"},
    {"NoVersion", "GET /a\r\n\r\n", "400"},
    {"AbsoluteForm", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"AuthorityForm", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"AsteriskForm", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"Fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"NonAsciiTarget", "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
    {"BareLineFeed", "GET /a HTTP/1.1\nHost: h\n\n", "400"},
    {"BareLineFeedInFields", "GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "400"},
    {"BareReturn", Get("X: a\rb\r\n"), "400"},
    {"NulInField", Get(std::string("X: a\0b\r\n", 8)), "400"},
    {"NulInTarget", std::string("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", 30), "400"},
    {"FoldedField", Get("X: a\r\n b\r\n"), "400"},
    {"FoldedWithTab", Get("X: a\r\n\tb\r\n"), "400"},
    {"FirstFieldFolded", "GET /a HTTP/1.1\r\n Host: h\r\n\r\n", "400"},
    {"SpaceBeforeColon", Get("X : a\r\n"), "400"},
    {"EmptyFieldName", Get(": a\r\n"), "400"},
    {"NoColon", Get("Xa\r\n"), "400"},
    {"ControlInField", Get("X: a\x01\r\n"), "400"},
    {"NoHost", "GET /a HTTP/1.1\r\n\r\n", "400"},
    {"TwoHosts", Get("Host: h\r\n"), "400"},
    {"HostWithPath", "GET /a HTTP/1.1\r\nHost: h/x\r\n\r\n", "400"},
    {"HostWithUser", "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", "400"},
    {"TwoContentTypes", Get("Content-Type: a/b\r\ncontent-type: c/d\r\n"), "400"},
    {"TwoContentLengths", Post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), "400"},
    {"EqualContentLengths", Post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), "400"},
    {"ContentLengthList", Post("Content-Length: 1, 1\r\n", "a"), "400"},
    {"SignedContentLength", Post("Content-Length: +1\r\n", "a"), "400"},
    {"NegativeContentLength", Post("Content-Length: -1\r\n", "a"), "400"},
    {"HexContentLength", Post("Content-Length: 0x1\r\n", "a"), "400"},
    {"OverflowingContentLength", Post("Content-Length: 18446744073709551617\r\n", "a"), "400"},
    {"LengthThenChunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     "400"},
    {"ChunkedThenLength", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
     "400"},
    {"TwoTransferEncodings",
     Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
    {"ChunkedNotAlone", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"},
    {"UnknownTransferEncoding", Post("Transfer-Encoding: identity\r\n", "GET /"), "400"},
    {"ObfuscatedChunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "400"},
    {"ChunkedInHttp10", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
    {"BadChunkSize", Post("Transfer-Encoding: chunked\r\n", "zz\r\n"), "400"},
    {"NegativeChunkSize", Post("Transfer-Encoding: chunked\r\n", "-1\r\n"), "400"},
    {"OverflowingChunkSize", Post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"),
     "400"},
    {"ChunkWithBareLineFeed", Post("Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n"), "400"},
    {"ChunkLongerThanItsSize", Post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
     "400"},
    {"ManyChunkExtensions",
     Post("Transfer-Encoding: chunked\r\n", "1;x=" + std::string(2000, 'y') + "\r\n"), "400"},
    {"UnknownExpectation", Post("Expect: the-unexpected\r\nContent-Length: 1\r\n", ""), "400"},
    {"LongRequestLine", "GET /" + std::string(20'000, 'a'), "414"},
    {"LongFields", Get("X: " + std::string(20'000, 'a') + "\r\n"), "431"},
    {"ManyFields",
     [] {
       std::string fields;
       for (int i = 0; i < 3000; ++i) fields += "X: y\r\n";
       return Get(fields);
     }(),
     "431"},
    {"LongTrailer", Post("Transfer-Encoding: chunked\r\n", "0\r\nX: " + std::string(40'000, 'a')),
     "431"},
    {"LargeBody", Post("Content-Length: 200000\r\n", ""), "413"},
    {"LargeBodyThatHasArrived", Post("Content-Length: 200000\r\n", "a: b\r\n\r\n"), "413"},
    {"NoHostWithABody", "POST /a HTTP/1.1\r\nContent-Length: 8\r\n\r\na: b\r\n\r\n", "400"},
    {"LargeBodyInChunks", Post("Transfer-Encoding: chunked\r\n", "30D40\r\n"), "413"},
    {"SmuggledSecondRequest",
     Post("Content-Length: 4\r\nTransfer-Encoding : chunked\r\n",
          "0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     "400"},
};

INSTANTIATE_TEST_SUITE_P(Requests, EdgeHostile, ::testing::ValuesIn(kHostile),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(EdgeRequest, SurvivesEveryHostileRequestOneOctetAtATime) {
  TestServer server;
  for (const Hostile& hostile : kHostile) {
    if (hostile.request.size() > 200) continue;
    auto client = server.Connect();
    for (const char octet : hostile.request)
      if (!client.Send({&octet, 1})) break;
    const std::string response = client.ReadToEnd();
    // The server may have closed before all was sent: then the answer may be lost to a reset.
    if (!response.empty()) {
      EXPECT_EQ(response.substr(9, 3), hostile.status) << hostile.name;
    }
  }
  EXPECT_EQ(server.Connect().Ask(kGet).substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeRequest, SplitsPathAndQueryWithoutDecoding) {
  TestServer server;
  const auto response = server.Connect().Ask("GET /a%2Fb//c?x=%41&y HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(response.find("GET /a%2Fb//c?x=%41&y [] from 127.0.0.1"), std::string::npos)
      << response;
}

TEST(EdgeRequest, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  auto client = server.Connect();
  std::string requests;
  for (int i = 0; i < 100; ++i)
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 100; ++i)
    EXPECT_NE(client.ReadResponse().find("GET /" + std::to_string(i) + "? "), std::string::npos);
}

TEST(EdgeRequest, AnswersPipelinedRequestsOfTheFastPathInOrder) {
  TestServer server({}, Echo, [](const Request& request) -> std::optional<Response> {
    if (request.path.size() % 2 == 0) return std::nullopt;
    return Text(200, "fast " + request.path);
  });
  auto client = server.Connect();
  std::string requests;
  for (int i = 0; i < 300; ++i)
    requests += "GET /" + std::string(static_cast<size_t>(i % 7), 'x') + std::to_string(1000 + i) +
                " HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 300; ++i)
    EXPECT_NE(client.ReadResponse().find(std::to_string(1000 + i)), std::string::npos) << i;
}

TEST(EdgeRequest, ReadsChunkedBodiesAndIgnoresTrailers) {
  TestServer server({}, [](const Request& request) {
    return Text(200, "[" + request.body + "]" + std::string(request.Header("X-Late")));
  });
  const auto response = server.Connect().Ask(
      "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: yes\r\n\r\n");
  EXPECT_TRUE(response.ends_with("\r\n\r\n[abcde]")) << response;
}

TEST(ChunkedDecoder, ReadsTheSameInPiecesOfEverySize) {
  const std::string coded = "3;a=\"b\"\r\nabc\r\n0A\r\n0123456789\r\n00\r\nX: y\r\nZ: \r\n\r\nnext";
  for (size_t piece = 1; piece <= coded.size(); ++piece) {
    ChunkedDecoder decoder({100, 100});
    std::string input, body;
    auto progress = ChunkedDecoder::Progress::kNeedMore;
    size_t offset = 0;
    while (progress == ChunkedDecoder::Progress::kNeedMore && offset < coded.size()) {
      input += coded.substr(offset, piece);
      offset += piece;
      progress = decoder.Consume(input, body);
    }
    EXPECT_EQ(progress, ChunkedDecoder::Progress::kComplete) << piece;
    EXPECT_EQ(body, "abc0123456789") << piece;
    EXPECT_EQ(input + (offset < coded.size() ? coded.substr(offset) : ""), "next") << piece;
  }
}

TEST(ChunkedDecoder, RefusesWhatOthersMightReadDifferently) {
  for (const std::string coded :
       {"\r\n", "0x1\r\na\r\n", "1 \r\na\r\n", " 1\r\na\r\n", "1 ;x\r\na\r\n", "+1\r\na\r\n",
        "1\r\na\n0\r\n\r\n", "1\r\nab", "1;\n\r\na\r\n", "1;\r\r\na\r\n", "g\r\n",
        "00000000000000001\r\na\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX\r\n\r\n",
        "0\r\nX: y\n\r\n", "0\r\n: y\r\n\r\n", "0\n\n"}) {
    ChunkedDecoder decoder({100, 100});
    std::string input = coded, body;
    EXPECT_EQ(decoder.Consume(input, body), ChunkedDecoder::Progress::kMalformed) << coded;
  }
}

TEST(EdgeRequest, TakesAnyOctetInABody) {
  TestServer server({}, [](const Request& request) { return Text(200, request.body); });
  std::string body;
  for (int i = 0; i < 512; ++i) body.push_back(static_cast<char>(i));
  const auto response = server.Connect().Ask(Post("Content-Length: 512\r\n", body));
  EXPECT_TRUE(response.ends_with("\r\n\r\n" + body));
}

TEST(EdgeRequest, AcceptsABodyOfExactlyTheLimit) {
  TestServer server(
      {}, [](const Request& request) { return Text(200, std::to_string(request.body.size())); });
  const size_t limit = Limits{}.max_body;
  const auto response = server.Connect().Ask(
      Post("Content-Length: " + std::to_string(limit) + "\r\n", std::string(limit, 'x')));
  EXPECT_TRUE(response.ends_with(std::to_string(limit))) << response;
}

TEST(EdgeRequest, SendsContinueBeforeTheBodyArrives) {
  TestServer server;
  auto client = server.Connect();
  const auto interim = client.Ask(Post("Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
  EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_NE(client.Ask("ok").find("[ok]"), std::string::npos);
}

TEST(EdgeRequest, RefusesAnOversizedExpectationWithoutContinue) {
  TestServer server;
  const auto response =
      server.Connect().Ask(Post("Expect: 100-continue\r\nContent-Length: 900000\r\n", ""));
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 413");
}

TEST(EdgeRequest, AnswersHeadWithTheLengthButNoContent) {
  TestServer server;
  auto client = server.Connect();
  ASSERT_TRUE(client.Send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(kGet)));
  const auto head = client.ReadResponse(true);
  EXPECT_NE(head.find("Content-Length: 26\r\n"), std::string::npos) << head;
  EXPECT_EQ(client.ReadResponse().substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeRequest, SendsNoContentWith204And304) {
  for (const int status : {204, 304}) {
    TestServer server({}, [status](const Request&) { return Text(status, "never sent"); });
    auto client = server.Connect();
    ASSERT_TRUE(client.Send(std::string(kGet) + std::string(kGet)));
    EXPECT_EQ(client.ReadResponse().find("Content-Length"), std::string::npos);
    EXPECT_EQ(client.ReadResponse().substr(0, 12), "HTTP/1.1 " + std::to_string(status));
  }
}

TEST(EdgeRequest, ClosesAfterHttp10UnlessAskedToStay) {
  TestServer server;
  auto once = server.Connect();
  ASSERT_TRUE(once.Send("GET /a HTTP/1.0\r\n\r\n"));
  EXPECT_NE(once.ReadToEnd().find("Connection: close\r\n"), std::string::npos);
  auto stays = server.Connect();
  const std::string request = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_NE(stays.Ask(request).find("Connection: keep-alive\r\n"), std::string::npos);
  EXPECT_EQ(stays.Ask(request).substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeRequest, ClosesWhenAsked) {
  TestServer server;
  auto client = server.Connect();
  ASSERT_TRUE(client.Send(Get("Connection: close\r\n")));
  EXPECT_NE(client.ReadToEnd().find("Connection: close\r\n"), std::string::npos);
}

TEST(EdgeRequest, IgnoresAnEmptyLineBeforeARequest) {
  TestServer server;
  EXPECT_EQ(server.Connect().Ask("\r\n" + std::string(kGet)).substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeRequest, SendsSharedBodiesLargerThanTheSocketBuffer) {
  const auto large = std::make_shared<const Bytes>(20'000'000, uint8_t{'z'});
  TestServer server({}, [large](const Request&) {
    Response response;
    response.shared_body = large;
    return response;
  });
  const auto response = server.Connect().Ask(kGet);
  EXPECT_EQ(std::count(response.begin(), response.end(), 'z'), 20'000'000);
}

TEST(EdgeRequest, NeverShowsWhatAHandlerThrew) {
  TestServer server(
      {}, [](const Request&) -> Response { throw std::runtime_error("secret"); },
      [](const Request& request) -> std::optional<Response> {
        if (request.path == "/fast") throw std::runtime_error("secret");
        return std::nullopt;
      });
  for (const std::string path : {"/slow", "/fast"}) {
    const auto response = server.Connect().Ask("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 500");
    EXPECT_EQ(response.find("secret"), std::string::npos);
  }
}

TEST(EdgeRequest, LeavesOutHeadersThatBreakTheirLine) {
  TestServer server({}, [](const Request&) {
    return Text(200, "x")
        .With("X-Good", "1")
        .With("X-Bad", "a\r\nX-Injected: b")
        .With("Content-Length", "7");
  });
  const auto response = server.Connect().Ask(kGet);
  EXPECT_NE(response.find("X-Good: 1\r\n"), std::string::npos);
  EXPECT_EQ(response.find("X-Injected"), std::string::npos);
  EXPECT_EQ(response.find("Content-Length: 7"), std::string::npos);
}

}  // namespace
}  // namespace agentca::acme::http::testing
