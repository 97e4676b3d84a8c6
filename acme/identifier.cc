#include "acme/identifier.h"

#include <arpa/inet.h>
#include <idn2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "ca/dns_name.h"

namespace agentca::acme {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::vector<std::string_view> SplitLabels(std::string_view name) {
  std::vector<std::string_view> labels;
  while (true) {
    const size_t dot = name.find('.');
    labels.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return labels;
    name.remove_prefix(dot + 1);
  }
}

struct Idn2Free {
  void operator()(char* text) const { idn2_free(text); }
};
using Idn2Text = std::unique_ptr<char, Idn2Free>;

// An A-label is what IDNA2008 makes of its own decoded form, and nothing else (RFC 5891 §5.4).
bool IsALabel(const std::string& label) {
  char* out = nullptr;
  if (idn2_to_unicode_8z8z(label.c_str(), &out, 0) != IDN2_OK) return false;
  const Idn2Text unicode(out);
  char* back = nullptr;
  const auto* source = reinterpret_cast<const uint8_t*>(unicode.get());
  auto** target = reinterpret_cast<uint8_t**>(&back);
  if (idn2_lookup_u8(source, target, IDN2_NO_TR46 | IDN2_NFC_INPUT) != IDN2_OK) return false;
  const Idn2Text again(back);
  return label == again.get();
}

// ca/ has the last word on host names: an order must not hold what no certificate may. It asks
// that Punycode decodes; that the label means something in IDNA2008 is asked here.
Status CheckHostName(const std::string& name, const std::vector<std::string_view>& labels) {
  if (const Status valid = ca::CheckDnsName(name, true); !valid.ok()) {
    return Error{Code::kMalformed, valid.error().detail};
  }
  for (const std::string_view label : labels) {
    if (label.starts_with("xn--") && !IsALabel(std::string(label))) {
      return Error{Code::kMalformed, "name has a label that is not a valid A-label"};
    }
  }
  // RFC 3696 §2: a top-level name is not all-numeric; some software would read an address.
  if (std::all_of(labels.back().begin(), labels.back().end(), IsDigit)) {
    return Error{Code::kMalformed, "name must not end in a number"};
  }
  return {};
}

bool MatchesSuffix(std::string_view name, std::string_view suffix) {
  if (suffix.starts_with('.')) suffix.remove_prefix(1);
  return name == suffix || (name.size() > suffix.size() && name.ends_with(suffix) &&
                            name[name.size() - suffix.size() - 1] == '.');
}

Status CheckAllowed(std::string_view base, size_t labels, const IdentifierRules& rules) {
  const auto& allowed = rules.allow_names;
  const bool listed = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& suffix) {
    return MatchesSuffix(base, ca::ToLowerAscii(suffix));
  });
  if (!allowed.empty() && !listed) {
    return Error{Code::kRejectedIdentifier, "this CA does not issue for this name"};
  }
  if (labels < 2 && !listed) {
    return Error{Code::kRejectedIdentifier, "name must have at least two labels"};
  }
  return {};
}

Result<Identifier> ParseDns(std::string_view value, const IdentifierRules& rules) {
  std::string name = ca::ToLowerAscii(value);
  if (!AddressOctets(name).empty()) {
    return Error{Code::kMalformed, "an address needs an identifier of type \"ip\""};
  }
  const bool wildcard = name.starts_with("*.");
  const std::string_view base = std::string_view(name).substr(wildcard ? 2 : 0);
  const auto labels = SplitLabels(base);
  AGENTCA_TRY(CheckHostName(name, labels));
  if (wildcard && !rules.wildcards) {
    return Error{Code::kRejectedIdentifier, "this CA does not issue wildcard certificates"};
  }
  if (wildcard && labels.size() < 2) {
    return Error{Code::kRejectedIdentifier, "a wildcard needs at least two labels behind it"};
  }
  AGENTCA_TRY(CheckAllowed(base, labels.size(), rules));
  return Identifier{Identifier::Type::kDns, std::move(name)};
}

// RFC 4291 §2.5.5.2, "::ffff:a.b.c.d": a second form of the same address.
bool IsMappedIpv4(ByteView octets) {
  constexpr std::array<uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return octets.size() == 16 && std::equal(kPrefix.begin(), kPrefix.end(), octets.begin());
}

Result<Identifier> ParseIp(std::string_view value, const IdentifierRules& rules) {
  std::string text(value);
  const Bytes octets = AddressOctets(text);
  if (octets.empty()) return Error{Code::kMalformed, "value is not an IP address"};
  if (AddressText(octets) != text) {
    return Error{Code::kMalformed, "IPv6 addresses must be in the form of RFC 5952"};
  }
  if (IsMappedIpv4(octets)) {
    return Error{Code::kMalformed, "an IPv4 address must be written as one"};
  }
  if (!rules.ip_addresses) {
    return Error{Code::kRejectedIdentifier, "this CA does not issue for IP addresses"};
  }
  return Identifier{Identifier::Type::kIp, std::move(text)};
}

Result<Identifier> ParseByType(std::string_view type, std::string_view value,
                               const IdentifierRules& rules) {
  if (value.find('\0') != std::string_view::npos) return Error{Code::kMalformed, "NUL in value"};
  if (type == "dns") return ParseDns(value, rules);
  if (type == "ip") return ParseIp(value, rules);
  return Error{Code::kUnsupportedIdentifier, "identifier types are \"dns\" and \"ip\""};
}

Error Summarize(std::vector<Error> faults) {
  if (faults.size() > 1) {
    return {Code::kCompound, "several identifiers were refused", "", std::move(faults)};
  }
  const Error& only = faults.front();
  return {only.code, only.detail, "", {only}};
}

}  // namespace

Result<Identifier> ParseIdentifier(std::string_view type, std::string_view value,
                                   const IdentifierRules& rules) {
  auto parsed = ParseByType(type, value, rules);
  if (parsed.ok()) return parsed;
  Error error = std::move(parsed).error();
  error.subject = std::string(type) + ":" + std::string(value);
  return error;
}

Result<std::vector<Identifier>> ParseIdentifiers(const JsonValue& payload,
                                                 const IdentifierRules& rules, size_t max) {
  const auto list = payload.Find("identifiers");
  if (!list || !list->is_array()) {
    return Error{Code::kMalformed, "member \"identifiers\" must be an array"};
  }
  const auto elements = list->elements();
  if (elements.empty()) return Error{Code::kMalformed, "an order needs an identifier"};
  // Repetitions count: the work of parsing is what this bounds.
  if (elements.size() > max) {
    return Error{Code::kMalformed,
                 "an order may have at most " + std::to_string(max) + " identifiers"};
  }
  std::vector<Identifier> identifiers;
  std::vector<Error> faults;
  for (const JsonValue& element : elements) {
    AGENTCA_ASSIGN(const std::string type, element.String("type"));
    AGENTCA_ASSIGN(const std::string value, element.String("value"));
    auto identifier = ParseIdentifier(type, value, rules);
    if (!identifier.ok()) {
      faults.push_back(std::move(identifier).error());
    } else if (std::find(identifiers.begin(), identifiers.end(), *identifier) ==
               identifiers.end()) {
      identifiers.push_back(*std::move(identifier));
    }
  }
  if (!faults.empty()) return Summarize(std::move(faults));
  return identifiers;
}

std::vector<ChallengeType> ChallengeTypesFor(const Identifier& identifier) {
  if (identifier.type == Identifier::Type::kIp) {
    return {ChallengeType::kHttp01, ChallengeType::kTlsAlpn01};
  }
  if (IsWildcard(identifier)) return {ChallengeType::kDns01};
  return {ChallengeType::kHttp01, ChallengeType::kDns01, ChallengeType::kTlsAlpn01};
}

Bytes AddressOctets(const std::string& text) {
  Bytes octets(16);
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) return octets;
  return {};
}

std::string AddressText(ByteView octets) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = octets.size() == 4 ? AF_INET : AF_INET6;
  if (octets.size() != 4 && octets.size() != 16) return "";
  return inet_ntop(family, octets.data(), text, sizeof text) == nullptr ? "" : text;
}

std::string SubjectOf(const Identifier& identifier) {
  return std::string(ToString(identifier.type)) + ":" + identifier.value;
}

void WriteIdentifier(JsonWriter& json, const Identifier& identifier) {
  json.BeginObject();
  json.Member("type", ToString(identifier.type)).Member("value", identifier.value);
  json.EndObject();
}

}  // namespace agentca::acme
