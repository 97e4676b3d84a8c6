#include "acme/http/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "acme/http/peer.h"

namespace agentca::acme::http {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kLineStart = "PROXY "sv;
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;  // §2.2
constexpr size_t kShortestLine = "PROXY UNKNOWN\r\n"sv.size();     // of both versions
constexpr size_t kFixed = 16;  // octets of version 2 before the addresses
constexpr std::string_view kEnd = "\r\n"sv;

Error Malformed(std::string_view what) {
  return {Code::kMalformed, "PROXY header: " + std::string(what)};
}

bool MayBecome(std::string_view begun, std::string_view whole) {
  const size_t both = std::min(begun.size(), whole.size());
  return begun.substr(0, both) == whole.substr(0, both);
}

// "Heading zeroes are not permitted".
bool IsPort(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end && (text.size() == 1 || text.front() != '0');
}

// Octets of the address; empty: not one of the family. inet_pton allows no heading zeroes in IPv4
// addresses either.
Bytes ParseAddress(int family, const std::string& text) {
  Bytes octets(family == AF_INET ? 4 : 16);
  if (text.find('\0') != std::string::npos || ::inet_pton(family, text.c_str(), octets.data()) != 1)
    octets.clear();
  return octets;
}

// §2.1; `line` without its CRLF.
Result<std::string> SourceOfLine(std::string_view line) {
  std::string_view rest = line.substr(kLineStart.size());
  const auto next = [&rest] {
    const size_t space = rest.find(' ');
    const std::string_view field = rest.substr(0, space);
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
    return field;
  };
  const std::string_view protocol = next();
  // "the receiver must ignore anything presented before the CRLF is found"
  if (protocol == "UNKNOWN") return std::string();
  if (protocol != "TCP4" && protocol != "TCP6") return Malformed("neither TCP4, TCP6 nor UNKNOWN");
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const Bytes source = ParseAddress(family, std::string(next()));
  const Bytes destination = ParseAddress(family, std::string(next()));
  if (source.empty() || destination.empty()) return Malformed("not an address of the family");
  const std::string_view from = next();
  // What is left is the last field: a space in it, or behind it, makes it no number.
  if (!IsPort(from) || !IsPort(rest)) return Malformed("not a port");
  return NumericAddress(source);
}

Result<ProxyHeader> ParseLine(std::string_view text) {
  const size_t end = text.substr(0, kMaxProxyLine).find(kEnd);
  if (end != std::string_view::npos) {
    AGENTCA_ASSIGN(std::string source, SourceOfLine(text.substr(0, end)));
    return ProxyHeader{true, end + kEnd.size(), std::move(source)};
  }
  const size_t missing = text.ends_with('\r') ? 1 : kEnd.size();
  const size_t least = std::max(text.size() + missing, kShortestLine);
  if (least > kMaxProxyLine) return Malformed("the line does not end");
  return ProxyHeader{false, least, {}};
}

// §2.2
Result<ProxyHeader> ParseBinary(ByteView octets) {
  if (octets.size() < kFixed) return ProxyHeader{false, kFixed, {}};
  constexpr int kLocal = 0, kProxy = 1, kStream = 1, kLastFamily = 3, kLastTransport = 2;
  constexpr int kInet = 1, kInet6 = 2;
  const int version = octets[12] >> 4, command = octets[12] & 0x0f;
  const int family = octets[13] >> 4, transport = octets[13] & 0x0f;
  const size_t length = static_cast<size_t>(octets[14]) << 8 | octets[15];
  if (version != 2) return Malformed("unknown version");
  if (command != kLocal && command != kProxy) return Malformed("unknown command");
  // Of LOCAL the family "is ignored".
  if (command == kProxy && (family > kLastFamily || transport > kLastTransport))
    return Malformed("unknown family or transport");
  size_t width = 0;  // of an address that we take
  if (command == kProxy && transport == kStream)
    width = family == kInet ? 4 : family == kInet6 ? 16 : 0;
  if (width != 0 && length < 2 * width + 2 * sizeof(in_port_t))
    return Malformed("too short for its addresses");
  const size_t size = kFixed + length;
  if (size > kMaxProxyHeader) return Malformed("longer than a segment");
  if (octets.size() < size) return ProxyHeader{false, size, {}};
  if (width == 0) return ProxyHeader{true, size, {}};
  return ProxyHeader{true, size, NumericAddress(octets.subspan(kFixed, width))};
}

}  // namespace

Result<ProxyHeader> ParseProxyHeader(ByteView octets) {
  const std::string_view text = AsText(octets);
  if (text.empty()) return ProxyHeader{false, kShortestLine, {}};
  if (MayBecome(text, kLineStart)) return ParseLine(text);
  if (MayBecome(text, kSignature)) return ParseBinary(octets);
  return Malformed("begins like none");
}

}  // namespace agentca::acme::http
