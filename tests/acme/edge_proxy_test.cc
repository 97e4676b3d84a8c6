// Connections of load balancers: a PROXY header comes first, and nobody else's is looked at.
#include <netinet/tcp.h>

#include "tests/acme/edge_fixture.h"

namespace agentca::acme::http::testing {
namespace {

using namespace std::string_literals;

ServerOptions Before(const std::string& network) {
  ServerOptions options;
  options.balancers = {Cidr::Parse(network).value()};
  return options;
}

const std::string kLine = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const std::string kLocal = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s;
const std::string kBinary =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"s;

bool From(const std::string& response, const std::string& address) {
  return response.ends_with(" from " + address);
}

TEST(EdgeProxy, TakesTheClientsAddressFromTheHeader) {
  TestServer server(Before("127.0.0.0/8"));
  for (const std::string& header : {kLine, kBinary}) {
    auto client = server.Connect();
    EXPECT_TRUE(From(client.Ask(header + std::string(kGet)), "192.0.2.7"));
    EXPECT_TRUE(From(client.Ask(kGet), "192.0.2.7"));  // the whole connection is of that client
  }
}

TEST(EdgeProxy, KeepsTheBalancersAddressWhenItSpeaksForItself) {
  TestServer server(Before("127.0.0.1"));
  for (const std::string& header : {kLocal, "PROXY UNKNOWN\r\n"s})
    EXPECT_TRUE(From(server.Connect().Ask(header + std::string(kGet)), "127.0.0.1"));
}

TEST(EdgeProxy, ReadsAHeaderThatComesInPieces) {
  TestServer server(Before("127.0.0.1"));
  auto client = server.Connect();
  const int on = 1;
  ::setsockopt(client.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (const char octet : kBinary) ASSERT_TRUE(client.Send({&octet, 1}));
  EXPECT_TRUE(From(client.Ask(kGet), "192.0.2.7"));
}

TEST(EdgeProxy, ClosesABalancersConnectionWithoutAHeader) {
  TestServer server(Before("127.0.0.1"));
  for (const std::string& octets :
       {std::string(kGet), "\x16\x03\x01\x02\x00"s, "PROXY TCP4 192.0.2.07 1.2.3.4 1 2\r\n"s,
        "PROXY UNKNOWN " + std::string(200, 'x'), kBinary.substr(0, 12) + "\x31\x11\0\x0c"s}) {
    auto client = server.Connect();
    ASSERT_TRUE(client.Send(octets));
    EXPECT_EQ(client.ReadToEnd(), "");
  }
  EXPECT_TRUE(From(server.Connect().Ask(kLine + std::string(kGet)), "192.0.2.7"));
}

TEST(EdgeProxy, ClosesAConnectionWhoseHeaderEndsEarly) {
  TestServer server(Before("127.0.0.1"));
  for (const std::string& octets : {""s, kLine.substr(0, 20), kBinary.substr(0, 20)}) {
    auto client = server.Connect();
    ASSERT_TRUE(client.Send(octets));
    client.EndWriting();
    EXPECT_EQ(client.ReadToEnd(), "");
  }
}

TEST(EdgeProxy, TheHeaderIsWithinTheDeadlineOfTheRequest) {
  auto options = Before("127.0.0.1");
  options.limits.request_deadline = 200ms;
  TestServer server(options);
  for (const std::string& octets : {""s, kLine.substr(0, 20), kLine}) {
    auto client = server.Connect();
    ASSERT_TRUE(client.Send(octets));
    EXPECT_EQ(client.ReadToEnd(), "");
  }
}

TEST(EdgeProxy, IsNotLookedForInConnectionsOfOthers) {
  TestServer server(Before("127.0.0.9"));
  for (const std::string& header : {kLine, kBinary, kLocal}) {
    const std::string response = server.Connect().Ask(header + std::string(kGet));
    EXPECT_TRUE(response.starts_with("HTTP/1.1 400 ")) << response;
  }
  EXPECT_TRUE(From(server.Connect().Ask(kGet), "127.0.0.1"));
}

TEST(EdgeProxy, ASecondHeaderIsARequestThatFails) {
  TestServer server(Before("127.0.0.1"));
  const std::string response = server.Connect().Ask(kLine + kLine + std::string(kGet));
  EXPECT_TRUE(response.starts_with("HTTP/1.1 400 ")) << response;
}

TEST(EdgeProxy, AHalfHeaderDoesNotHoldUpTheEnd) {
  TestServer server(Before("127.0.0.1"));
  auto client = server.Connect();
  ASSERT_TRUE(client.Send(kLine.substr(0, 20)));
  // The answer to a later connection tells that the earlier one was looked at.
  EXPECT_TRUE(From(server.Connect().Ask(kLine + std::string(kGet)), "192.0.2.7"));
  server.server->Drain(20s);
  EXPECT_EQ(server.server->connections(), 0u);
  EXPECT_EQ(client.ReadToEnd(), "");
}

}  // namespace
}  // namespace agentca::acme::http::testing
