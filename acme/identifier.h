// Identifiers as clients send them → as this CA knows them, or why not.
#pragma once

#include "acme/json.h"
#include "acme/model.h"
#include "acme/service.h"

namespace agentca::acme {

// What an order may name.
struct IdentifierRules {
  const std::vector<std::string>& allow_names;  // as in Policy
  bool wildcards;
  bool ip_addresses;
};

// A host name in A-label form (RFC 5890 §2.3.2.1), lower-cased as public CAs do: LDH labels of 1 to
// 63 octets, 253 in all, at least two labels, no address in disguise, "xn--" only where the label
// is valid IDNA2008; "*." only as a whole leftmost label (RFC 8555 §7.1.3). Addresses in the form
// of RFC 5952 (RFC 8738 §3). Errors: kMalformed, kUnsupportedIdentifier, kRejectedIdentifier; with
// `subject` set.
Result<Identifier> ParseIdentifier(std::string_view type, std::string_view value,
                                   const IdentifierRules& rules);

// The "identifiers" of a newOrder: each parsed, repetitions merged. One fault is that error with a
// subproblem; several are kCompound (§6.7.1).
Result<std::vector<Identifier>> ParseIdentifiers(const JsonValue& payload,
                                                 const IdentifierRules& rules, size_t max);

// The challenge types that may prove it: RFC 8738 §7 (no dns-01 for addresses), and dns-01 alone
// for a wildcard.
std::vector<ChallengeType> ChallengeTypesFor(const Identifier& identifier);

// Octets of an "ip" identifier's value; empty when it is not an address.
Bytes AddressOctets(const std::string& text);
std::string AddressText(ByteView octets);  // RFC 5952

inline bool IsWildcard(const Identifier& identifier) {
  return identifier.type == Identifier::Type::kDns && identifier.value.starts_with("*.");
}
std::string SubjectOf(const Identifier& identifier);  // "dns:example.test"
void WriteIdentifier(JsonWriter& json, const Identifier& identifier);

}  // namespace agentca::acme
