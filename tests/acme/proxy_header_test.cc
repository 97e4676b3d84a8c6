// Vectors of HAProxy's doc/proxy-protocol.txt, and what differs from them by one thing.
#include "acme/http/proxy_header.h"

#include <gtest/gtest.h>

#include <optional>

namespace agentca::acme::http {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string V2(uint8_t version_command, uint8_t family, const std::string& rest,
               std::optional<size_t> length = {}) {
  const size_t n = length.value_or(rest.size());
  std::string out = kSignature;
  for (const size_t octet : {size_t{version_command}, size_t{family}, n >> 8, n & 0xff})
    out.push_back(static_cast<char>(octet));
  return out + rest;
}

// 192.0.2.7:56324 → 198.51.100.1:443.
const std::string kInet = "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"s;
const std::string kInet6 = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x05" +
                           std::string(16, '\x22') + "\xdc\x04\x01\xbb";

std::string SourceOf(const std::string& header) {
  const auto parsed = ParseProxyHeader(AsBytes(header));
  if (!parsed.ok()) return parsed.error().detail;
  EXPECT_TRUE(parsed->complete) << header;
  EXPECT_EQ(parsed->size, header.size());
  return parsed->source;
}

std::string FaultOf(const std::string& octets) {
  const auto parsed = ParseProxyHeader(AsBytes(octets));
  if (parsed.ok()) return parsed->complete ? "complete, '" + parsed->source + "'" : "incomplete";
  EXPECT_EQ(parsed.error().code, Code::kMalformed);
  return parsed.error().detail;
}

// As a connection reads it: never an octet of what follows.
std::string SourceInPieces(const std::string& stream, size_t header, size_t most) {
  std::string read;
  for (;;) {
    const auto parsed = ParseProxyHeader(AsBytes(read));
    if (!parsed.ok()) return parsed.error().detail;
    if (parsed->complete) {
      EXPECT_EQ(read.size(), header);
      EXPECT_EQ(parsed->size, header);
      return parsed->source;
    }
    EXPECT_GT(parsed->size, read.size());
    if (parsed->size <= read.size() || parsed->size > stream.size()) return "asks for too much";
    read = stream.substr(0, std::min(parsed->size, read.size() + most));
  }
}

TEST(ProxyHeaderLine, NamesTheClient) {
  EXPECT_EQ(SourceOf("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), "192.168.0.1");
  EXPECT_EQ(SourceOf("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
            "255.255.255.255");
  EXPECT_EQ(SourceOf("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0");
  EXPECT_EQ(SourceOf("PROXY TCP6 2001:db8::5 2001:DB8::1 56324 443\r\n"), "2001:db8::5");
  EXPECT_EQ(SourceOf("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(SourceOf("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7");
}

TEST(ProxyHeaderLine, MayNotKnowTheClient) {
  EXPECT_EQ(SourceOf("PROXY UNKNOWN\r\n"), "");
  EXPECT_EQ(SourceOf("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
            "");
  EXPECT_EQ(SourceOf("PROXY UNKNOWN anything \r or \n at all\r\n"), "");
}

TEST(ProxyHeaderLine, IsReadToItsEndAndNotBeyond) {
  for (const std::string header :
       {"PROXY TCP4 192.0.2.7 192.168.0.11 56324 443\r\n", "PROXY TCP6 ::1 ::2 1 2\r\n",
        "PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n"}) {
    const std::string source = SourceOf(header);
    for (const size_t most : {1, 2, 7, 1000})
      EXPECT_EQ(SourceInPieces(header + "\x16\x03\x01\x02", header.size(), most), source) << header;
  }
}

TEST(ProxyHeaderLine, IsOfBoundedLength) {
  const std::string start = "PROXY UNKNOWN ";
  const std::string longest = start + std::string(kMaxProxyLine - start.size() - 2, 'x') + "\r\n";
  EXPECT_EQ(SourceOf(longest), "");
  const std::string fault = "PROXY header: the line does not end";
  EXPECT_EQ(FaultOf(start + "x" + longest.substr(start.size())), fault);
  EXPECT_EQ(FaultOf(start + std::string(1'000, 'x')), fault);
  EXPECT_EQ(FaultOf(start + std::string(1'000, 'x') + "\r\n"), fault);
  // As soon as no CRLF can end it in time.
  EXPECT_EQ(FaultOf(start + std::string(kMaxProxyLine - start.size() - 2, 'x')), "incomplete");
  EXPECT_EQ(FaultOf(start + std::string(kMaxProxyLine - start.size() - 1, 'x')), fault);
  EXPECT_EQ(FaultOf(start + std::string(kMaxProxyLine - start.size() - 2, 'x') + "\r"),
            "incomplete");
}

TEST(ProxyHeaderLine, EndsInNothingButCrLf) {
  for (const std::string line :
       {"PROXY TCP4 192.0.2.7 192.0.2.8 1 2", "PROXY UNKNOWN",
        "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r"})
    EXPECT_EQ(FaultOf(line), "incomplete") << line;
  EXPECT_EQ(FaultOf("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\nGET / HTTP/1.1\r\n"),
            "PROXY header: not a port");
}

TEST(ProxyHeaderLine, RefusesWhatIsNotExactlyIt) {
  for (const char* fields :
       {"TCP4 01.2.3.4 1.2.3.4 1 2", "TCP4 1.2.3 1.2.3.4 1 2", "TCP4 256.2.3.4 1.2.3.4 1 2",
        "TCP4 0x1.2.3.4 1.2.3.4 1 2", "TCP4 ::1 1.2.3.4 1 2", "TCP4 1.2.3.4 ::1 1 2",
        "TCP4 1.2.3.4 1.2.3.04 1 2", "TCP6 1.2.3.4 ::1 1 2", "TCP6 1::2::3 ::1 1 2",
        "TCP6 fe80::1%lo ::1 1 2", "TCP6 12345::1 ::1 1 2", "TCP6 [::1] ::1 1 2",
        "TCP4  1.2.3.4 1.2.3.4 1 2", "TCP4 1.2.3.4  1.2.3.4 1 2", "TCP4", "TCP4 ", "TCP4 1.2.3.4",
        "TCP4\t1.2.3.4 1.2.3.4 1 2", "TCP4 localhost 1.2.3.4 1 2"})
    EXPECT_EQ(FaultOf("PROXY "s + fields + "\r\n").substr(0, 14), "PROXY header: ") << fields;
  for (const char* ports : {"01 2", "1 02", "65536 2", "1 65536", "-1 2", "+1 2", "1", "1 ", " 1 2",
                            "1 2 ", "1 2 3", "1x 2", "1 2x", "00 2"})
    EXPECT_EQ(FaultOf("PROXY TCP4 1.2.3.4 1.2.3.4 "s + ports + "\r\n"), "PROXY header: not a port")
        << ports;
  for (const char* protocol : {"UDP4", "tcp4", "TCP", "TCP44", "UNKNOWNX", "unknown", ""})
    EXPECT_EQ(FaultOf("PROXY "s + protocol + " 1.2.3.4 1.2.3.4 1 2\r\n"),
              "PROXY header: neither TCP4, TCP6 nor UNKNOWN");
  const std::string hidden = "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"s;
  EXPECT_EQ(FaultOf(hidden), "PROXY header: not an address of the family");
}

TEST(ProxyHeaderBinary, NamesTheClient) {
  EXPECT_EQ(SourceOf(V2(0x21, 0x11, kInet)), "192.0.2.7");
  EXPECT_EQ(SourceOf(V2(0x21, 0x21, kInet6)), "2001:db8::5");
  const std::string mapped = std::string(10, '\0') + "\xff\xff\xc0\x00\x02\x07"s;
  EXPECT_EQ(SourceOf(V2(0x21, 0x21, mapped + std::string(20, '\0'))), "192.0.2.7");
}

TEST(ProxyHeaderBinary, SkipsWhatFollowsTheAddresses) {
  const std::string authority = "\x02\x00\x0e"s + "ca.example.com";
  EXPECT_EQ(SourceOf(V2(0x21, 0x11, kInet + authority)), "192.0.2.7");
  EXPECT_EQ(SourceOf(V2(0x21, 0x21, kInet6 + std::string(200, '\xff'))), "2001:db8::5");
}

TEST(ProxyHeaderBinary, LeavesTheConnectionsOwnAddress) {
  EXPECT_EQ(SourceOf(V2(0x20, 0x00, "")), "");
  // LOCAL: what else it says, its family too, does not matter; its length does.
  EXPECT_EQ(SourceOf(V2(0x20, 0x11, kInet)), "");
  EXPECT_EQ(SourceOf(V2(0x20, 0xff, "x")), "");
  for (const int unspecified : {0x00, 0x01, 0x02, 0x10, 0x20, 0x30})
    EXPECT_EQ(SourceOf(V2(0x21, static_cast<uint8_t>(unspecified), kInet)), "");
  for (const int other : {0x12, 0x22, 0x31, 0x32})  // UDP, Unix
    EXPECT_EQ(SourceOf(V2(0x21, static_cast<uint8_t>(other), std::string(216, 'p'))), "");
}

TEST(ProxyHeaderBinary, IsReadToItsEndAndNotBeyond) {
  for (const std::string& header : {V2(0x21, 0x11, kInet), V2(0x21, 0x21, kInet6 + "tlv"),
                                    V2(0x20, 0x00, ""), V2(0x21, 0x31, std::string(216, 'p'))}) {
    const std::string source = SourceOf(header);
    for (const size_t most : {1, 5, 1000})
      EXPECT_EQ(SourceInPieces(header + "\x16\x03\x01", header.size(), most), source);
    for (size_t n = 0; n < header.size(); ++n)
      EXPECT_EQ(FaultOf(header.substr(0, n)), "incomplete") << n;
  }
}

TEST(ProxyHeaderBinary, IsOfBoundedLength) {
  const size_t most = kMaxProxyHeader - 16 - kInet.size();
  EXPECT_EQ(SourceOf(V2(0x21, 0x11, kInet + std::string(most, 't'))), "192.0.2.7");
  const std::string fault = "PROXY header: longer than a segment";
  EXPECT_EQ(FaultOf(V2(0x21, 0x11, kInet + std::string(most + 1, 't'))), fault);
  // By its word alone.
  EXPECT_EQ(FaultOf(V2(0x21, 0x11, "", 0xffff)), fault);
  EXPECT_EQ(FaultOf(V2(0x20, 0x00, "", 0xffff)), fault);
}

TEST(ProxyHeaderBinary, RefusesAShorterBlockThanItsAddressesNeed) {
  const std::string fault = "PROXY header: too short for its addresses";
  for (const size_t length : {0, 4, 11}) EXPECT_EQ(FaultOf(V2(0x21, 0x11, kInet, length)), fault);
  for (const size_t length : {0, 12, 35}) EXPECT_EQ(FaultOf(V2(0x21, 0x21, kInet6, length)), fault);
}

TEST(ProxyHeaderBinary, RefusesWhatIsUnknown) {
  for (const int version : {0x01, 0x11, 0x31, 0xf1})
    EXPECT_EQ(FaultOf(V2(static_cast<uint8_t>(version), 0x11, kInet)),
              "PROXY header: unknown version");
  for (const int command : {0x22, 0x2f})
    EXPECT_EQ(FaultOf(V2(static_cast<uint8_t>(command), 0x11, kInet)),
              "PROXY header: unknown command");
  for (const int family : {0x41, 0xf1, 0x13, 0x1f, 0x03, 0x40})
    EXPECT_EQ(FaultOf(V2(0x21, static_cast<uint8_t>(family), kInet)),
              "PROXY header: unknown family or transport");
}

TEST(ProxyHeader, IsRefusedAtTheFirstOctetThatIsNotOfOne) {
  const std::string fault = "PROXY header: begins like none";
  for (const std::string& octets :
       {"\x16\x03\x01"s, "G"s, "GET / HTTP/1.1\r\n\r\n"s, "PROXYTCP4"s, "proxy "s, " PROXY "s,
        "\0"s, kSignature.substr(0, 11) + "\r", "\r\nPROXY TCP4"s})
    EXPECT_EQ(FaultOf(octets), fault);
  for (const std::string& octets : {""s, "P"s, "PROXY"s, "\r"s, "\r\n\r\n"s})
    EXPECT_EQ(FaultOf(octets), "incomplete");
}

}  // namespace
}  // namespace agentca::acme::http
