#include "acme/network_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace agentca::acme {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool StartsWith(ByteView address, ByteView prefix) {
  return address.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), address.begin());
}

bool IsMapped(ByteView address) {
  return address.size() == 16 && StartsWith(address, kMappedPrefix);
}

bool MatchesPrefix(ByteView address, ByteView network, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(network.begin(), network.begin() + static_cast<ptrdiff_t>(whole),
                  address.begin()))
    return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((address[whole] ^ network[whole]) & mask) == 0;
}

Bytes ParseAddress(const std::string& text) {
  Bytes octets(16);
  if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  if (::inet_pton(AF_INET, text.c_str(), octets.data()) == 1) return octets;
  return {};
}

// The IPv4 addresses that a packet to this IPv6 address may reach.
std::vector<Bytes> Disguises(ByteView address) {
  constexpr std::array<uint8_t, 15> kZeros{};
  // :: and ::1 are not IPv4-compatible addresses, whatever they look like.
  if (address.size() != 16 || (StartsWith(address, kZeros) && address[15] <= 1)) return {};
  std::vector<Bytes> inner;
  const auto take = [&](size_t offset) { inner.push_back(ToBytes(address.subspan(offset, 4))); };
  constexpr std::array<uint8_t, 12> kCompatible{};  // RFC 4291 §2.5.5.1
  constexpr std::array<uint8_t, 12> kTranslated = {0, 0, 0,    0,    0, 0,
                                                   0, 0, 0xff, 0xff, 0, 0};  // RFC 2765 §2.1
  constexpr std::array<uint8_t, 3> kIsatap = {0, 0x5e, 0xfe};  // RFC 5214 §6.1, behind the u bit
  constexpr std::array<uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b};            // RFC 6052 §2.1
  constexpr std::array<uint8_t, 6> kLocalNat64 = {0, 0x64, 0xff, 0x9b, 0, 1};  // RFC 8215
  constexpr std::array<uint8_t, 2> k6to4 = {0x20, 0x02};                       // RFC 3056 §2
  constexpr std::array<uint8_t, 4> kTeredo = {0x20, 0x01, 0, 0};               // RFC 4380 §4
  if (StartsWith(address, kMappedPrefix) || StartsWith(address, kCompatible) ||
      StartsWith(address, kTranslated) || StartsWith(address, kNat64))
    take(12);
  // Under any prefix: a host that is an ISATAP router tunnels to the address within.
  if ((address[8] & ~0x02) == 0 && StartsWith(address.subspan(9), kIsatap)) take(12);
  if (StartsWith(address, kLocalNat64)) {
    // RFC 6052 §2.2: a /48 prefix leaves the u-octet out of the middle; a /96 below it does not.
    inner.push_back({address[6], address[7], address[9], address[10]});
    take(12);
  }
  if (StartsWith(address, k6to4)) take(2);
  if (StartsWith(address, kTeredo)) {
    take(4);
    Bytes client = ToBytes(address.subspan(12, 4));
    for (auto& octet : client) octet = static_cast<uint8_t>(~octet);
    inner.push_back(std::move(client));
  }
  return inner;
}

}  // namespace

Result<Cidr> Cidr::Parse(std::string_view text) {
  const Error bad{Code::kMalformed, "not a CIDR block: " + std::string(text)};
  const size_t slash = text.find('/');
  Cidr cidr{ParseAddress(std::string(text.substr(0, slash)))};
  if (cidr.address.empty()) return bad;
  const int width = static_cast<int>(cidr.address.size()) * 8;
  cidr.prefix = width;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, ec] =
        std::from_chars(digits.data(), digits.data() + digits.size(), cidr.prefix);
    if (ec != std::errc{} || end != digits.data() + digits.size()) return bad;
  }
  if (cidr.prefix < 0 || cidr.prefix > width) return bad;
  for (int bit = cidr.prefix; bit < width; ++bit)
    if ((cidr.address[static_cast<size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0)
      return Error{Code::kMalformed, "bits are set behind the prefix: " + std::string(text)};
  if (IsMapped(cidr.address) && cidr.prefix >= 96) {
    cidr.address.erase(cidr.address.begin(), cidr.address.begin() + 12);
    cidr.prefix -= 96;
  }
  return cidr;
}

bool Cidr::Contains(ByteView candidate) const {
  if (candidate.size() == 16 && address.size() == 4 && IsMapped(candidate))
    candidate = candidate.subspan(12);
  return candidate.size() == address.size() && MatchesPrefix(candidate, address, prefix);
}

bool AnyContains(const std::vector<Cidr>& list, ByteView address) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Cidr& cidr) { return cidr.Contains(address); });
}

NetworkPolicy::NetworkPolicy(std::vector<Cidr> allow, std::vector<Cidr> deny)
    : allow_(std::move(allow)), deny_(std::move(deny)) {}

std::vector<Cidr> NetworkPolicy::DefaultDeny() {
  constexpr std::string_view kBlocks[] = {
      "0.0.0.0/8",           // "this network" (RFC 1122 §3.2.1.3); Linux takes 0.0.0.0 as loopback
      "127.0.0.0/8",         // loopback
      "169.254.0.0/16",      // link-local, and the metadata service of most clouds
      "100.100.100.200/32",  // Alibaba Cloud metadata
      "168.63.129.16/32",    // Azure's host agent
      "192.0.0.192/32",      // Oracle Cloud metadata
      "224.0.0.0/4",         // multicast
      "240.0.0.0/4",         // reserved, and broadcast
      "::/128",              // unspecified
      "::1/128",             // loopback
      "fe80::/10",           // link-local
      "fec0::/10",           // site-local, deprecated by RFC 3879
      "ff00::/8",            // multicast
      "fd00:ec2::/32",       // AWS metadata, time and DNS
      "fd20:ce::254/128",    // Google Cloud metadata
  };
  std::vector<Cidr> blocks;
  for (const auto text : kBlocks) {
    auto block = Cidr::Parse(text);
    assert(block.ok());
    blocks.push_back(*std::move(block));
  }
  return blocks;
}

// Each IPv4 address in disguise is judged on its own: who allows a NAT64 prefix does not thereby
// allow the loopback address behind it.
Status NetworkPolicy::Check(ByteView address) const {
  const Error refusal{Code::kRejectedIdentifier,
                      "validation may not connect to the address of this identifier"};
  if (address.size() != 4 && address.size() != 16) return refusal;
  const auto permitted = [this](ByteView one) {
    return AnyContains(allow_, one) || !AnyContains(deny_, one);
  };
  if (!permitted(address)) return refusal;
  for (const Bytes& inner : Disguises(address))
    if (!permitted(inner)) return refusal;
  return {};
}

}  // namespace agentca::acme
