#include "acme/model.h"

#include <algorithm>
#include <array>

namespace agentca::acme {
namespace {

constexpr size_t kTimeOctets = 5;
constexpr size_t kRandomOctets = 16;

constexpr std::array<std::pair<ChallengeType, std::string_view>, 4> kChallengeNames{{
    {ChallengeType::kHttp01, "http-01"},
    {ChallengeType::kDns01, "dns-01"},
    {ChallengeType::kTlsAlpn01, "tls-alpn-01"},
    {ChallengeType::kAgentAttest01, "agent-attest-01"},
}};

}  // namespace

std::string NewId(Time now, Random& random) {
  std::array<uint8_t, kTimeOctets + kRandomOctets> octets{};
  const auto seconds = static_cast<uint64_t>(now.time_since_epoch().count());
  for (size_t i = 0; i < kTimeOctets; ++i) {
    octets[i] = static_cast<uint8_t>(seconds >> (8 * (kTimeOctets - 1 - i)));
  }
  random.Fill(std::span(octets).subspan<kTimeOctets>());
  return ToBase64Url(octets);
}

std::string_view ToString(Identifier::Type type) {
  switch (type) {
    case Identifier::Type::kDns:
      return "dns";
    case Identifier::Type::kIp:
      return "ip";
  }
  return "";
}

std::string_view ToString(ChallengeType type) {
  const auto* row = std::find_if(kChallengeNames.begin(), kChallengeNames.end(),
                                 [type](const auto& each) { return each.first == type; });
  return row == kChallengeNames.end() ? std::string_view() : row->second;
}

std::optional<ChallengeType> ChallengeTypeFromString(std::string_view text) {
  const auto* row = std::find_if(kChallengeNames.begin(), kChallengeNames.end(),
                                 [text](const auto& each) { return each.second == text; });
  if (row == kChallengeNames.end()) return std::nullopt;
  return row->first;
}

std::string_view ToString(Decision decision) {
  switch (decision) {
    case Decision::kWaiting:
      return "waiting";
    case Decision::kGranted:
      return "granted";
    case Decision::kDenied:
      return "denied";
  }
  return "";
}

}  // namespace agentca::acme
